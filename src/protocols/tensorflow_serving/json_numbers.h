// SPDX-License-Identifier: Apache-2.0
// Numbers of long lists, read at full speed: eight digits at a time, and a division by a power of ten where that is
// exact (W. D. Clinger, "How to read floating point numbers accurately"), else the algorithm of Eisel and Lemire.
// Everything here reads up to 16 bytes past the number, which the caller provides.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace protean::tfserving {

/// What read_magnitude() has found. `whole`: neither a point nor an exponent.
struct Magnitude {
  std::uint64_t digits;
  std::int64_t exponent;
  bool whole;
};

[[nodiscard]] inline std::uint64_t load_eight(const char* at) noexcept {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

[[nodiscard]] inline bool are_digits(std::uint64_t bytes) noexcept {
  return ((bytes & 0xF0F0F0F0F0F0F0F0U) | (((bytes + 0x0606060606060606U) & 0xF0F0F0F0F0F0F0F0U) >> 4)) ==
         0x3333333333333333U;
}

[[nodiscard]] inline std::uint64_t eight_digits(std::uint64_t bytes) noexcept {
  bytes -= 0x3030303030303030U;
  bytes = bytes * 10 + (bytes >> 8);
  constexpr std::uint64_t kMask = 0x000000FF000000FFU;
  return (((bytes & kMask) * 0x000F424000000064U) + (((bytes >> 16) & kMask) * 0x0000271000000001U)) >> 32;
}

[[nodiscard]] inline bool is_digit(char c) noexcept { return static_cast<unsigned char>(c - '0') <= 9; }

/// The number without its sign. nullptr for what is none, or has more than 19 digits: the exact way has it.
[[nodiscard]] inline const char* read_magnitude(const char* at, Magnitude& out) noexcept {
  const char* const start = at;
  if (!is_digit(*at)) return nullptr;
  std::uint64_t digits = static_cast<std::uint64_t>(*at++ - '0');
  if (digits == 0) {
    if (is_digit(*at)) return nullptr;
  } else {
    while (is_digit(*at)) digits = digits * 10 + static_cast<std::uint64_t>(*at++ - '0');
  }
  std::int64_t exponent = 0;
  bool whole = true;
  if (*at == '.') {
    const char* const point = at++;
    for (std::uint64_t bytes = load_eight(at); are_digits(bytes); bytes = load_eight(at)) {
      digits = digits * 100'000'000 + eight_digits(bytes);
      at += 8;
    }
    while (is_digit(*at)) digits = digits * 10 + static_cast<std::uint64_t>(*at++ - '0');
    exponent = point + 1 - at;
    if (exponent == 0) return nullptr;
    whole = false;
  }
  if (at - start > 19 + (whole ? 0 : 1)) return nullptr;
  if ((*at | 0x20) == 'e') {
    ++at;
    const bool minus = *at == '-';
    if (minus || *at == '+') ++at;
    if (!is_digit(*at)) return nullptr;
    std::int64_t size = 0;
    const char* const first = at;
    while (is_digit(*at)) size = size * 10 + (*at++ - '0');
    if (at - first > 4 || size > 300) return nullptr;
    exponent += minus ? -size : size;
    whole = false;
  }
  out = {digits, exponent, whole};
  return at;
}

/// The value of a magnitude whose digits and power of ten are both exact doubles.
[[nodiscard]] inline bool exact_value(const Magnitude& magnitude, double& out) noexcept {
  constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (magnitude.digits > std::uint64_t{1} << 53 || magnitude.exponent < -22 || magnitude.exponent > 22) return false;
  const auto value = static_cast<double>(magnitude.digits);
  out = magnitude.exponent < 0 ? value / kPowers[static_cast<std::size_t>(-magnitude.exponent)]
                               : value * kPowers[static_cast<std::size_t>(magnitude.exponent)];
  return true;
}

/// The same for every other magnitude; false where only all digits tell.
[[nodiscard]] bool rounded_value(const Magnitude& magnitude, double& out) noexcept;

}  // namespace protean::tfserving
