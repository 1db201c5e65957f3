// SPDX-License-Identifier: Apache-2.0
// FP16 and BF16 from and to numbers: C++20 has no such types, and JSON carries them as numbers.
// Source: IEEE 754-2019 3.4 (binary16); bfloat16 is the upper half of binary32.
#pragma once

#include <cstdint>
#include <optional>

namespace protean {

struct Half {
  std::uint16_t bits;
};
struct Bfloat16 {
  std::uint16_t bits;
};

/// Nearest, ties to even; NaN becomes the quiet NaN, infinity stays.  nullopt when a finite value would become
/// infinite.  Thread-safe; expects the default rounding mode.
[[nodiscard]] std::optional<Half> to_half(double value) noexcept;
[[nodiscard]] std::optional<Bfloat16> to_bfloat16(double value) noexcept;

/// Exact.
[[nodiscard]] float to_float(Half value) noexcept;
[[nodiscard]] float to_float(Bfloat16 value) noexcept;

}  // namespace protean
