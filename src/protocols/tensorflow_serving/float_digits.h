// SPDX-License-Identifier: Apache-2.0
// The digits of a float as TensorFlow Serving prints it, from one multiplication: by the power of ten that leaves nine
// digits before the point, as a 64-bit approximation from below. Which power, and how far to shift, is a table by the
// float's exponent; nothing that is as likely one way as the other - which power, whether to round up, whether six
// digits do - decides a branch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace protean::tfserving {

/// Nine digits, the first one not 0 (but for 0), and the power of ten of the first one.
/// `precision`: 6 where six of them say which float it is (the rest are 0 then), else 9.
struct FloatDigits {
  std::uint32_t digits;
  int exponent;
  int precision;
};

/// The first 64 bits of 10^power (of 5^power, that is), what follows cut off.  Requires -55 <= power <= 55.
[[nodiscard]] constexpr std::uint64_t power_of_ten_bits(int power) noexcept {
  __extension__ using Wide = unsigned __int128;
  constexpr Wide kFirstBit = Wide{1} << 127;
  Wide five = 1;
  for (int i = 0; i < (power < 0 ? -power : power); ++i) five *= 5;
  if (power >= 0) {
    while (five < kFirstBit) five <<= 1;
    return static_cast<std::uint64_t>(five >> 64);
  }
  Wide rest = 1;
  while (rest < five) rest <<= 1;
  std::uint64_t bits = 0;
  for (int i = 0; i < 64; ++i) {
    const bool one = rest >= five;
    bits = bits << 1 | (one ? 1 : 0);
    rest = (one ? rest - five : rest) << 1;
  }
  return bits;
}

/// How floats of one exponent are multiplied: mantissas below `carry_from` as [0], with `exponent` ten as the first
/// digit's; the others as [1], with one more.
struct FloatScale {
  std::array<std::uint64_t, 2> unit;
  std::array<std::uint8_t, 2> shift;
  std::array<bool, 2> exact;
  std::int8_t exponent;
  std::uint32_t carry_from;
};

inline constexpr std::array<FloatScale, 256> kFloatScales = [] {
  __extension__ using Wide = unsigned __int128;
  std::array<FloatScale, 256> scales{};
  for (int biased = 0; biased < 255; ++biased) {
    const int two = biased == 0 ? -23 : biased - 150;  // 0 is printed as numbers from 1 on are
    const int ten = ((two + 23) * 78913) >> 18;        // floor(log10(2^n)), as far as floats go
    FloatScale& scale = scales[static_cast<std::size_t>(biased)];
    scale.exponent = static_cast<std::int8_t>(ten);
    for (int i = 0; i < 2; ++i) {
      const int power = 8 - ten - i;
      const auto at = static_cast<std::size_t>(i);
      scale.unit[at] = power_of_ten_bits(power);
      scale.shift[at] = static_cast<std::uint8_t>(39 - ((217706 * power) >> 16) - two);
      scale.exact[at] = power >= 0 && power <= 27;
    }
    scale.carry_from =
        static_cast<std::uint32_t>(((Wide{1'000'000'000} << (scale.shift[0] + 24)) - 1) / scale.unit[0] + 1);
  }
  return scales;
}();

/// `bits`: of a float that is 0, or finite and at least twice the smallest normal one; without its sign.
/// False: too close to tell, the C library must decide (of random floats, one in 2^30).
[[nodiscard]] inline bool find_digits(std::uint32_t bits, FloatDigits& out) noexcept {
  __extension__ using Wide = unsigned __int128;
  constexpr std::uint32_t kHidden = std::uint32_t{1} << 23;
  constexpr std::uint32_t kLimit = 1'000'000'000;
  constexpr std::uint64_t kMargin = 8;
  const std::uint32_t biased = bits >> 23;
  const std::uint32_t mantissa = (bits & (kHidden - 1)) | (biased != 0 ? kHidden : 0);
  const FloatScale& scale = kFloatScales[biased];
  const std::size_t carry = mantissa >= scale.carry_from ? 1 : 0;
  const std::uint64_t unit = scale.unit[carry];
  const unsigned shift = scale.shift[carry];
  // What the approximation lacks is below one unit of `high`, and so is what `low` adds.
  const Wide product = static_cast<Wide>(std::uint64_t{mantissa} << 40) * unit;
  const auto high = static_cast<std::uint64_t>(product >> 64);
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  const std::uint64_t fraction = high & (2 * half - 1);
  const auto whole = static_cast<std::uint32_t>(high >> shift);
  const std::uint32_t six = (whole + 500) / 1000;
  // Six digits do if they are nearer than half way to the next float; below a power of two that one is half as far.
  const auto distance = static_cast<std::int64_t>(high - ((std::uint64_t{six} * 1000) << shift));
  const bool narrow = (mantissa == kHidden) & (distance >= 0);
  const std::uint64_t reach = unit >> (narrow ? 26 : 25);
  const auto off = static_cast<std::uint64_t>(distance < 0 ? -distance : distance);
  const bool near = off < reach;
  const bool close = (off - reach + kMargin <= 2 * kMargin) | (!near & (fraction - (half - 1) <= 1));
  std::uint32_t nine = whole + (fraction >= half ? 1 : 0);
  if (close) [[unlikely]] {
    if (off - reach + kMargin <= 2 * kMargin || !scale.exact[carry]) return false;
    // As printf does: half way is rounded to the even digit.
    const bool tie = fraction == half && static_cast<std::uint64_t>(product) == 0;
    nine = tie ? whole + (whole & 1) : nine;
  }
  out.digits = near ? six * 1000 : nine;
  out.precision = near ? 6 : 9;
  out.exponent = scale.exponent + static_cast<int>(carry);
  if (out.digits == kLimit) [[unlikely]] {
    out.digits = kLimit / 10;
    ++out.exponent;
  }
  return true;
}

}  // namespace protean::tfserving
