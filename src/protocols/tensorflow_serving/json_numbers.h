// SPDX-License-Identifier: Apache-2.0
// Numbers of long lists, read at full speed: up to eight digits at a time, and a division by a power of ten where that
// is exact (W. D. Clinger, "How to read floating point numbers accurately"), else the algorithm of Eisel and Lemire.
// Everything here reads up to 16 bytes past the number, which the caller provides.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace protean::tfserving {

/// What read_magnitude() has found. `whole`: neither a point nor an exponent.
/// `many`: more digits than 64 bits hold, so that `digits` says nothing.
struct Magnitude {
  std::uint64_t digits;
  std::int64_t exponent;
  bool whole;
  bool many;
};

[[nodiscard]] inline bool is_digit(char c) noexcept { return static_cast<unsigned char>(c - '0') <= 9; }

/// Takes the next up to eight digits into `digits`; returns how many there were.
[[nodiscard]] inline std::size_t take_digits(const char* at, std::uint64_t& digits) noexcept {
  constexpr std::array<std::uint64_t, 9> kTens = {1,       10,        100,        1000,       10'000,
                                                  100'000, 1'000'000, 10'000'000, 100'000'000};
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  bytes ^= 0x3030303030303030U;
  const std::uint64_t others = ((bytes + 0x7676767676767676U) | bytes) & 0x8080808080808080U;
  const std::size_t count = others == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(others)) / 8;
  if (count == 0) return 0;
  bytes <<= 64 - 8 * count;
  bytes = bytes * 10 + (bytes >> 8);
  constexpr std::uint64_t kMask = 0x000000FF000000FFU;
  const std::uint64_t value =
      (((bytes & kMask) * 0x000F424000000064U) + (((bytes >> 16) & kMask) * 0x0000271000000001U)) >> 32;
  digits = digits * kTens[count] + value;
  return count;
}

[[nodiscard]] inline const char* take_all_digits(const char* at, std::uint64_t& digits) noexcept {
  std::size_t count = 0;
  do {
    count = take_digits(at, digits);
    at += count;
  } while (count == 8);
  return at;
}

/// Whether [at, end), digits and perhaps a point, has more than 19 digits from the first that is not 0.
[[nodiscard]] inline bool has_many_digits(const char* at, const char* end) noexcept {
  while (at != end && (*at == '0' || *at == '.')) ++at;
  return end - at > 19 + (std::memchr(at, '.', static_cast<std::size_t>(end - at)) != nullptr ? 1 : 0);
}

/// Behind the `e`.  nullptr for what is none, or so large that the exact way must judge.
[[nodiscard]] inline const char* read_exponent(const char* at, std::int64_t& exponent) noexcept {
  const bool minus = *at == '-';
  if (minus || *at == '+') ++at;
  if (!is_digit(*at)) return nullptr;
  std::int64_t size = 0;
  const char* const first = at;
  while (is_digit(*at) && at - first < 4) size = size * 10 + (*at++ - '0');
  if (is_digit(*at) || size > 300) return nullptr;
  exponent = minus ? -size : size;
  return at;
}

/// The number without its sign. nullptr for what is none, or has an exponent that the exact way must judge.
[[nodiscard]] inline const char* read_magnitude(const char* at, Magnitude& out) noexcept {
  const char* const start = at;
  std::uint64_t digits = 0;
  at = take_all_digits(at, digits);
  if (at == start || (*start == '0' && at != start + 1)) return nullptr;
  std::int64_t exponent = 0;
  bool whole = true;
  if (*at == '.') {
    const char* const point = at;
    at = take_all_digits(at + 1, digits);
    exponent = point + 1 - at;
    if (exponent == 0) return nullptr;
    whole = false;
  }
  const bool many = at - start > 19 && has_many_digits(start, at);
  if ((*at | 0x20) == 'e') {
    std::int64_t shift = 0;
    at = read_exponent(at + 1, shift);
    if (at == nullptr) return nullptr;
    exponent += shift;
    whole = false;
  }
  out = {digits, exponent, whole, many};
  return at;
}

inline constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// The value of a magnitude whose digits and power of ten are both exact doubles.
[[nodiscard]] inline bool exact_value(const Magnitude& magnitude, double& out) noexcept {
  if (magnitude.many || magnitude.digits > std::uint64_t{1} << 53 || magnitude.exponent < -22 ||
      magnitude.exponent > 22)
    return false;
  const auto value = static_cast<double>(static_cast<std::int64_t>(magnitude.digits));
  out = magnitude.exponent < 0 ? value / kPowersOfTen[static_cast<std::size_t>(-magnitude.exponent)]
                               : value * kPowersOfTen[static_cast<std::size_t>(magnitude.exponent)];
  return true;
}

/// A double that becomes the same float as the magnitude's correctly rounded double does. Of digits and a power of ten
/// that are no exact doubles, rounded once more each, comes a double at most three places from the right one: only
/// where a boundary between floats lies so near may the two differ. False: there, or where it is not as simple. No
/// branch tells 16 digits from 17: texts of doubles have both.
[[nodiscard]] inline bool float_value(const Magnitude& magnitude, double& out) noexcept {
  constexpr std::uint64_t kBelow = (std::uint64_t{1} << 29) - 1;  // the bits of a double that a float lacks
  constexpr std::uint64_t kNear = 8;
  if (magnitude.many || magnitude.digits >> 63 != 0 || magnitude.exponent < -22 || magnitude.exponent > 0) return false;
  out = static_cast<double>(static_cast<std::int64_t>(magnitude.digits)) /
        kPowersOfTen[static_cast<std::size_t>(-magnitude.exponent)];
  const std::uint64_t place = std::bit_cast<std::uint64_t>(out) - (std::uint64_t{1} << 28) + kNear;
  return static_cast<bool>((magnitude.digits <= std::uint64_t{1} << 53) | ((place & kBelow) > 2 * kNear));
}

[[nodiscard]] inline double with_sign(double magnitude, bool minus) noexcept {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) | std::uint64_t{minus} << 63);
}

/// The same for every other magnitude, read from [start, end).  False for one that no double holds.
[[nodiscard]] bool rounded_value(const Magnitude& magnitude, const char* start, const char* end, double& out) noexcept;

}  // namespace protean::tfserving
