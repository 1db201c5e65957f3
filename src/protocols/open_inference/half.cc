// SPDX-License-Identifier: Apache-2.0
// One rounding routine for both formats: scale so that the last kept bit is worth one, round, and add the exponent.
#include "protocols/open_inference/half.h"

#include <bit>
#include <cmath>

namespace protean {
namespace {

/// A binary format by its stored mantissa bits and its smallest normal exponent.
template <int kMantissaBits, int kExponentMin>
std::optional<std::uint16_t> round_to(double value) noexcept {
  constexpr int kInfinity = ((1 << (15 - kMantissaBits)) - 1) << kMantissaBits;
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | kInfinity | (1 << (kMantissaBits - 1)));
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | kInfinity);
  if (value == 0) return sign;
  const int found = std::ilogb(value);
  if (found > 127) return std::nullopt;
  const int exponent = found < kExponentMin ? kExponentMin : found;
  // Exact: a double has bits to spare for both formats. Rounding up to the next power of two carries into the exponent.
  const double units = std::nearbyint(std::ldexp(std::fabs(value), kMantissaBits - exponent));
  const int bits = ((exponent - kExponentMin) << kMantissaBits) + static_cast<int>(units);
  if (bits >= kInfinity) return std::nullopt;
  return static_cast<std::uint16_t>(sign | bits);
}

}  // namespace

std::optional<Half> to_half(double value) noexcept {
  const auto bits = round_to<10, -14>(value);
  if (!bits) return std::nullopt;
  return Half{*bits};
}

std::optional<Bfloat16> to_bfloat16(double value) noexcept {
  const auto bits = round_to<7, -126>(value);
  if (!bits) return std::nullopt;
  return Bfloat16{*bits};
}

float to_float(Half value) noexcept {
  const std::uint32_t sign = (value.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 31U;
  const std::uint32_t mantissa = value.bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t widened = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | mantissa << 13);
}

float to_float(Bfloat16 value) noexcept { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

}  // namespace protean
