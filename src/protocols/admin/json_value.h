// SPDX-License-Identifier: Apache-2.0
// A strict reader of small JSON bodies (RFC 8259). The fast decoders of inference requests are built for megabytes of
// numbers; a change of aliases is a hundred bytes, and what matters is that nothing is guessed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace protean {

/// Bodies above these are refused.
inline constexpr std::size_t kAdminBytesMax = 1 << 20;
inline constexpr std::size_t kAdminDepthMax = 8;

struct JsonValue;
struct JsonMember;
using JsonArray = std::vector<JsonValue>;
/// In the order given; names are unique.
using JsonObject = std::vector<JsonMember>;
struct JsonNull {};
/// A number that is not an unsigned integer of 64 bits: nothing here takes one.
struct JsonOtherNumber {};

struct JsonValue {
  std::variant<JsonNull, bool, std::uint64_t, JsonOtherNumber, std::string, JsonArray, JsonObject> value;

  template <typename T>
  [[nodiscard]] const T* as() const noexcept {
    return std::get_if<T>(&value);
  }
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

/// `an array`, `null`, `"abc"`: what a message says was found.
[[nodiscard]] std::string describe(const JsonValue& value);

/// Errors: kInvalidArgument `malformed JSON at byte 7: found ..., expected ...`, also for repeated names, text that is
/// not UTF-8, and what exceeds the bounds above.
[[nodiscard]] Result<JsonValue> parse_admin_json(std::string_view text);

}  // namespace protean
