// SPDX-License-Identifier: Apache-2.0
// A float is m * 2^e. Times a power of ten, as a 64-bit approximation of it, that is a fixed-point number whose whole
// part are the digits wanted and whose fraction says how to round; the approximation's error is below m units of the
// last place, and whatever lies that close to a decision is left to the C library.
#include "protocols/tensorflow_serving/float_text.h"

#include <fast_float/fast_float.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <type_traits>

namespace protean::tfserving {
namespace {

__extension__ using Wide = unsigned __int128;

template <typename F>
struct Format;
template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr int kBias = 127 + 23;
  static constexpr int kDigits = 9;
  static constexpr std::uint64_t kLimit = 1'000'000'000;
  static constexpr std::uint64_t kToSix = 1'000;
};
template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr int kBias = 1023 + 52;
  static constexpr int kDigits = 17;
  static constexpr std::uint64_t kLimit = 100'000'000'000'000'000;
  static constexpr std::uint64_t kToSix = 100'000'000'000;
};

constexpr std::array<char, 200> kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

/// `exponent`: of ten, of the first digit.  `precision`: as for printf's %g, which decides about the layout.
struct Decimal {
  std::uint64_t digits;
  int count;
  int exponent;
  int precision;
};

void write_digits(char* out, std::uint64_t digits, int count) noexcept {
  int at = count;
  while (at >= 2) {
    at -= 2;
    std::memcpy(out + at, kPairs.data() + digits % 100 * 2, 2);
    digits /= 100;
  }
  if (at == 1) out[0] = static_cast<char>('0' + digits % 10);
}

char* write_exponent(char* out, int exponent) noexcept {
  *out++ = 'e';
  *out++ = exponent < 0 ? '-' : '+';
  const auto size = static_cast<unsigned>(std::abs(exponent));
  if (size >= 100) *out++ = static_cast<char>('0' + size / 100);
  std::memcpy(out, kPairs.data() + size % 100 * 2, 2);
  return out + 2;
}

char* layout(char* out, const Decimal& decimal) noexcept {
  std::array<char, 24> text;
  write_digits(text.data(), decimal.digits, decimal.count);
  int count = decimal.count;
  while (count > 1 && text[static_cast<std::size_t>(count - 1)] == '0') --count;
  const auto copy = [&](int from, int size) {
    std::memcpy(out, text.data() + from, static_cast<std::size_t>(size));
    out += size;
  };
  const auto zeros = [&](int size) {
    std::memset(out, '0', static_cast<std::size_t>(size));
    out += size;
  };
  const int exponent = decimal.exponent;
  if (exponent < -4 || exponent >= decimal.precision) {
    copy(0, 1);
    if (count > 1) *out++ = '.';
    copy(1, count - 1);
    return write_exponent(out, exponent);
  }
  if (exponent < 0) {
    *out++ = '0';
    *out++ = '.';
    zeros(-exponent - 1);
    copy(0, count);
    return out;
  }
  const int whole = exponent + 1;
  if (count > whole) {
    copy(0, whole);
    *out++ = '.';
    copy(whole, count - whole);
    return out;
  }
  copy(0, count);
  zeros(whole - count);
  *out++ = '.';
  *out++ = '0';
  return out;
}

/// The value times 10^power as whole + fraction / 2^shift; `unit`: what one unit of the mantissa is in that scale.
struct Scaled {
  std::uint64_t whole;
  Wide fraction;
  int shift;
  std::uint64_t unit;
};

std::optional<Scaled> scale(std::uint64_t mantissa, int exponent, int power) noexcept {
  constexpr int kPowerMin = fast_float::powers::smallest_power_of_five;
  constexpr int kPowerMax = fast_float::powers::largest_power_of_five;
  if (power < kPowerMin || power > kPowerMax) return std::nullopt;
  const std::uint64_t five = fast_float::powers::power_of_five_128[2 * (power - kPowerMin)];
  const Wide product = static_cast<Wide>(mantissa) * five;
  const int shift = 63 - ((152170 * power) >> 16) - power - exponent;
  if (shift < 8 || shift > 120) return std::nullopt;
  return Scaled{static_cast<std::uint64_t>(product >> shift), product & ((Wide{1} << shift) - 1), shift, five};
}

/// Six digits, if they are nearer to the value than to its neighbours. nullopt: too close to tell.
template <typename F>
std::optional<bool> take_six(const Scaled& scaled, std::uint64_t mantissa, Decimal& decimal) noexcept {
  constexpr std::uint64_t kToSix = Format<F>::kToSix;
  const std::uint64_t six = scaled.whole / kToSix;
  const Wide step = static_cast<Wide>(kToSix) << scaled.shift;
  const Wide above = (static_cast<Wide>(scaled.whole % kToSix) << scaled.shift) + scaled.fraction;
  const bool up = above > step / 2;
  const Wide distance = up ? step - above : above;
  // Below a power of two the neighbour is half as far away.
  const bool narrow = !up && mantissa == std::uint64_t{1} << Format<F>::kMantissaBits;
  const Wide reach = scaled.unit / (narrow ? 4 : 2);
  const Wide error = mantissa + 1;
  if (distance >= reach + error) return false;
  if (distance + error >= reach) return std::nullopt;
  const bool carry = six + (up ? 1 : 0) == 1'000'000;
  decimal = {carry ? 100'000 : six + (up ? 1 : 0), 6, decimal.exponent + (carry ? 1 : 0), 6};
  return true;
}

/// nullopt: the C library must decide.
template <typename F>
std::optional<Decimal> to_decimal(std::uint64_t mantissa, int exponent) noexcept {
  using Of = Format<F>;
  int ten = ((exponent + Of::kMantissaBits) * 78913) >> 18;  // floor(log10(2^n)), as far as floats go
  auto scaled = scale(mantissa, exponent, Of::kDigits - 1 - ten);
  if (scaled && scaled->whole >= Of::kLimit) scaled = scale(mantissa, exponent, Of::kDigits - 1 - ++ten);
  if (!scaled) return std::nullopt;
  Decimal decimal{0, Of::kDigits, ten, Of::kDigits};
  const auto six = take_six<F>(*scaled, mantissa, decimal);
  if (!six) return std::nullopt;
  if (*six) return decimal;
  const Wide half = Wide{1} << (scaled->shift - 1);
  const Wide error = mantissa + 1;
  const bool up = scaled->fraction > half;
  if ((up ? scaled->fraction - half : half - scaled->fraction) <= error) return std::nullopt;
  const std::uint64_t digits = scaled->whole + (up ? 1 : 0);
  const bool carry = digits == Of::kLimit;
  decimal.digits = carry ? Of::kLimit / 10 : digits;
  decimal.exponent += carry ? 1 : 0;
  return decimal;
}

/// What the rule says, by the C library.
template <typename F>
char* write_exactly(char* out, F value) noexcept {
  int size = std::snprintf(out, kFloatTextMax, "%.6g", static_cast<double>(value));
  const F again =
      std::is_same_v<F, float> ? static_cast<F>(std::strtof(out, nullptr)) : static_cast<F>(std::strtod(out, nullptr));
  if (again != value) {
    size = std::snprintf(out, kFloatTextMax, "%.*g", Format<F>::kDigits, static_cast<double>(value));
  }
  char* const end = out + size;
  if (std::memchr(out, '.', static_cast<std::size_t>(size)) != nullptr) return end;
  if (std::memchr(out, 'e', static_cast<std::size_t>(size)) != nullptr) return end;
  std::memcpy(end, ".0", 2);
  return end + 2;
}

template <typename F>
char* write(char* out, F value) noexcept {
  using Of = Format<F>;
  using Bits = typename Of::Bits;
  constexpr Bits kHidden = Bits{1} << Of::kMantissaBits;
  constexpr Bits kExponentMask = (Bits{1} << (8 * sizeof(F) - 1 - Of::kMantissaBits)) - 1;
  const Bits bits = std::bit_cast<Bits>(value);
  const Bits exponent = (bits >> Of::kMantissaBits) & kExponentMask;
  const Bits fraction = bits & (kHidden - 1);
  const bool negative = (bits >> (8 * sizeof(F) - 1)) != 0;
  if (exponent == kExponentMask) {
    const char* const text = fraction != 0 ? "NaN" : negative ? "-Infinity" : "Infinity";
    const std::size_t size = std::strlen(text);
    std::memcpy(out, text, size);
    return out + size;
  }
  if (exponent <= 1 && (exponent | fraction) != 0) return write_exactly(out, value);
  char* const start = out;
  if (negative) *out++ = '-';
  if ((exponent | fraction) == 0) {
    std::memcpy(out, "0.0", 3);
    return out + 3;
  }
  const auto decimal = to_decimal<F>(kHidden | fraction, static_cast<int>(exponent) - Of::kBias);
  return decimal ? layout(out, *decimal) : write_exactly(start, value);
}

template <typename F>
void append(std::string& out, F value) {
  std::array<char, kFloatTextMax> text;
  char* const end = write(text.data(), value);
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

}  // namespace

char* write_float(char* out, float value) noexcept { return write(out, value); }
char* write_double(char* out, double value) noexcept { return write(out, value); }
void append_float(std::string& out, float value) { append(out, value); }
void append_double(std::string& out, double value) { append(out, value); }

}  // namespace protean::tfserving
