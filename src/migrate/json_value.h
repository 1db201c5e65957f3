// SPDX-License-Identifier: Apache-2.0
// JSON for comparing: numbers keep their text, since 1 and 1.0 are the same value written differently, and the tokens
// NaN, Inf and Infinity are numbers, as some servers print them. Reading what the sides answered; nothing is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace protean::migrate {

/// Views into the text that was parsed, valid while that lives.
/// `token`: of scalars, as written; a string's with its quotes.
/// `names`: of an object's members, decoded, beside `items`.
struct JsonValue {
  enum class Kind : unsigned char { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  std::string_view token;
  std::vector<JsonValue> items;
  std::vector<std::string> names;

  /// The first member of that name; nullptr when there is none.
  [[nodiscard]] const JsonValue* find(std::string_view name) const noexcept;
};

inline constexpr std::size_t kJsonDepthMax = 256;

/// Errors: kInvalidArgument with the offset.  Source: RFC 8259, and the number tokens named above.  Thread-safe.
[[nodiscard]] Result<JsonValue> parse_json(std::string_view text);

/// What a string token stands for.  Broken surrogates become U+FFFD.  Requires a token from parse_json().
[[nodiscard]] std::string decode_json_string(std::string_view token);

/// The nearest double; infinite when out of range.  Requires a number's token.
[[nodiscard]] double json_number(std::string_view token) noexcept;
/// Without fraction and exponent, and not one of the words.
[[nodiscard]] bool is_integer_token(std::string_view token) noexcept;

/// `null`, `bool`, `number`, `string`, `array`, `object`.
[[nodiscard]] std::string_view json_kind_name(JsonValue::Kind kind) noexcept;

}  // namespace protean::migrate
