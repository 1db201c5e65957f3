// SPDX-License-Identifier: Apache-2.0
// A strict, slow walk over JSON text that says where it breaks. The fast decoder reports no position and does not
// look inside values that it skips; both gaps are closed here.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace protean {

struct JsonFault {
  std::size_t offset;  // bytes from the start of the text; at most its size
  std::string what;
};

/// `allow_nonfinite`: bare NaN, Infinity and -Infinity are values too.
struct JsonCheck {
  std::size_t depth_max = 64;
  bool allow_nonfinite = false;
};

/// The first place where `text` is not one JSON value (RFC 8259) or is nested deeper than allowed; nullopt when it is.
/// Iterative; memory is one bit for each level.  Thread-safe.
[[nodiscard]] std::optional<JsonFault> check_json(std::string_view text, const JsonCheck& check);

/// Whether the whole of `text` is a number, RFC 8259 6.
[[nodiscard]] bool is_json_number(std::string_view text) noexcept;

}  // namespace protean
