// SPDX-License-Identifier: Apache-2.0
// One number of a JSON text as TensorFlow Serving's parser reads it: whole numbers keep their 64 bits, the rest are
// doubles; NaN, Inf and Infinity with an optional minus are numbers too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace protean::tfserving {

/// kUnsigned: a whole number from 0 to 2^64-1; kSigned: one below 0 down to -2^63 (and `-0`, which is 0).
enum class NumberKind : unsigned char { kUnsigned, kSigned, kDouble };

/// `real`: the value as a double, whatever the kind.
/// `error`: empty, or the parser's words, with where it stood from the token's start.
struct NumberToken {
  NumberKind kind = NumberKind::kDouble;
  std::uint64_t magnitude = 0;  // of a whole number
  double real = 0;
  std::size_t size = 0;
  std::string_view error = {};
  std::size_t error_at = 0;

  /// The whole number if it lies within the bounds of T.
  template <typename T>
  [[nodiscard]] std::optional<T> whole() const noexcept {
    __extension__ using Wide = __int128;
    if (kind == NumberKind::kDouble) return std::nullopt;
    const Wide value = kind == NumberKind::kSigned ? -static_cast<Wide>(magnitude) : static_cast<Wide>(magnitude);
    if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) return std::nullopt;
    return static_cast<T>(value);
  }
};

/// The number that `text` starts with, correctly rounded.  Thread-safe.
[[nodiscard]] NumberToken scan_number(std::string_view text) noexcept;

}  // namespace protean::tfserving
