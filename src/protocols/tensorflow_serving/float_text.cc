// SPDX-License-Identifier: Apache-2.0
// A double is m * 2^e. Times a power of ten, as a 64-bit approximation of it, that is a fixed-point number whose whole
// part are the digits wanted and whose fraction says how to round; the approximation's error is below m units of the
// last place, and whatever lies that close to a decision is left to the C library. Floats, of which replies are full,
// have a way of their own: float_digits.h for the digits, lay_out() for the text, in which neither the sign nor where
// the point stands nor how many zeros end it decides a branch. A random float takes 16 ns; the way of doubles took 29
// to 38.
#include "protocols/tensorflow_serving/float_text.h"

#include <fast_float/fast_float.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include "protocols/tensorflow_serving/float_digits.h"

namespace protean::tfserving {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr int kMantissaBits = 52;
constexpr int kBias = 1023 + kMantissaBits;
constexpr int kDigits = 17;
constexpr std::uint64_t kLimit = 100'000'000'000'000'000;
constexpr std::uint64_t kToSix = 100'000'000'000;
constexpr std::uint64_t kEight = 100'000'000;

/// A first digit and sixteen more, in two words of eight.  `exponent`: of ten, of the first digit.
/// `precision`: as for printf's %g, which decides about the layout.
struct Decimal {
  std::uint64_t first;
  std::uint64_t high;
  std::uint64_t low;
  int exponent;
  int precision;
};

/// Eight digits as bytes 0 to 9, the first one lowest: halves, then quarters, then single digits side by side.
inline std::uint64_t spread(std::uint64_t digits) noexcept {
  const std::uint64_t fours = digits / 10'000 | (digits % 10'000) << 32;
  const std::uint64_t hundreds = ((fours * 10'486) >> 20) & 0x0000007F0000007F;
  const std::uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
  const std::uint64_t tens = ((twos * 103) >> 10) & 0x000F000F000F000F;
  return tens | (twos - 10 * tens) << 8;
}

/// Digits of a spread word up to the last one that is not 0.
int significant(std::uint64_t digits) noexcept { return 8 - std::countl_zero(digits) / 8; }

void put_word(char* out, std::uint64_t digits) noexcept {
  digits |= 0x3030303030303030;
  std::memcpy(out, &digits, sizeof digits);
}

char* write_exponent(char* out, int exponent) noexcept {
  *out++ = 'e';
  *out++ = exponent < 0 ? '-' : '+';
  const auto size = static_cast<unsigned>(std::abs(exponent));
  if (size >= 100) *out++ = static_cast<char>('0' + size / 100);
  *out++ = static_cast<char>('0' + size / 10 % 10);
  *out++ = static_cast<char>('0' + size % 10);
  return out;
}

/// Copies are of fixed size, past what is wanted: what follows overwrites the rest.
char* layout(char* out, const Decimal& decimal) noexcept {
  constexpr std::size_t kCopied = 17;
  std::array<char, 2 * kCopied + 8> text;
  const std::uint64_t high = spread(decimal.high);
  text[0] = static_cast<char>('0' + decimal.first);
  put_word(text.data() + 1, high);
  int count = 1 + significant(high);
  std::uint64_t low = 0;
  if (decimal.precision > 9) {
    low = spread(decimal.low);
    if (low != 0) count = 9 + significant(low);
  }
  put_word(text.data() + 9, low);
  put_word(text.data() + kCopied, 0);
  put_word(text.data() + kCopied + 8, 0);
  const int exponent = decimal.exponent;
  if (exponent < -4 || exponent >= decimal.precision) {
    *out = text[0];
    out[1] = '.';
    std::memcpy(out + 2, text.data() + 1, kCopied - 1);
    return write_exponent(out + (count > 1 ? count + 1 : 1), exponent);
  }
  if (exponent < 0) {
    std::memcpy(out, "0.000000", 8);
    std::memcpy(out + 1 - exponent, text.data(), kCopied);
    return out + 1 - exponent + count;
  }
  const int whole = exponent + 1;
  std::memcpy(out, text.data(), kCopied);
  out[whole] = '.';
  std::memcpy(out + whole + 1, text.data() + whole, kCopied);
  return out + 1 + std::max(count, whole + 1);
}

/// The value times 10^power as whole + fraction / 2^shift; `unit`: what one unit of the mantissa is in that scale.
/// All are off by at most `error` units of the fraction.
struct Scaled {
  std::uint64_t whole;
  Wide fraction;
  Wide error;
  std::uint64_t unit;
  int shift;
};

bool scale(std::uint64_t mantissa, int exponent, int power, Scaled& out) noexcept {
  constexpr int kPowerMin = fast_float::powers::smallest_power_of_five;
  constexpr int kPowerMax = fast_float::powers::largest_power_of_five;
  if (power < kPowerMin || power > kPowerMax) return false;
  out.unit = fast_float::powers::power_of_five_128[2 * (power - kPowerMin)];
  const Wide product = static_cast<Wide>(mantissa) * out.unit;
  out.shift = 63 - ((152170 * power) >> 16) - power - exponent;
  if (out.shift < 8 || out.shift > 72) return false;
  out.whole = static_cast<std::uint64_t>(product >> out.shift);
  out.fraction = product & ((Wide{1} << out.shift) - 1);
  out.error = mantissa + 2;
  return true;
}

/// Six digits, if they are nearer to the value than to its neighbours. nullopt: too close to tell.
std::optional<bool> take_six(const Scaled& scaled, std::uint64_t mantissa, Decimal& decimal) noexcept {
  const Wide step = static_cast<Wide>(kToSix) << scaled.shift;
  const Wide above = (static_cast<Wide>(scaled.whole % kToSix) << scaled.shift) + scaled.fraction;
  const bool up = above > step / 2;
  const Wide distance = up ? step - above : above;
  // Below a power of two the neighbour is half as far away.
  const bool narrow = !up && mantissa == std::uint64_t{1} << kMantissaBits;
  const Wide reach = scaled.unit / (narrow ? 4 : 2);
  if (distance >= reach + scaled.error) return false;
  if (distance + scaled.error >= reach) return std::nullopt;
  const std::uint64_t six = scaled.whole / kToSix + (up ? 1 : 0);
  const bool carry = six == 1'000'000;
  const std::uint64_t digits = carry ? 100'000 : six;
  decimal = {digits / 100'000, digits % 100'000 * 1000, 0, decimal.exponent + (carry ? 1 : 0), 6};
  return true;
}

/// False: the C library must decide.
bool to_decimal(std::uint64_t mantissa, int exponent, Decimal& decimal) noexcept {
  int ten = ((exponent + kMantissaBits) * 78913) >> 18;  // floor(log10(2^n)), as far as doubles go
  Scaled scaled;
  if (!scale(mantissa, exponent, kDigits - 1 - ten, scaled)) return false;
  if (scaled.whole >= kLimit && !scale(mantissa, exponent, kDigits - 1 - ++ten, scaled)) return false;
  decimal.exponent = ten;
  const auto six = take_six(scaled, mantissa, decimal);
  if (!six || *six) return six.has_value();
  const Wide half = Wide{1} << (scaled.shift - 1);
  const bool up = scaled.fraction > half;
  if ((up ? scaled.fraction - half : half - scaled.fraction) <= scaled.error) return false;
  std::uint64_t digits = scaled.whole + (up ? 1 : 0);
  if (digits == kLimit) {
    digits /= 10;
    ++decimal.exponent;
  }
  decimal.precision = kDigits;
  decimal.low = digits % kEight;
  decimal.high = digits / kEight % kEight;
  decimal.first = digits / kEight / kEight;
  return true;
}

/// What the rule says, by the C library.
template <typename F>
[[gnu::noinline]] char* write_exactly(char* out, F value) noexcept {
  constexpr int kDigitsMax = std::numeric_limits<F>::max_digits10;
  int size = std::snprintf(out, kFloatTextMax, "%.6g", static_cast<double>(value));
  const F again =
      std::is_same_v<F, float> ? static_cast<F>(std::strtof(out, nullptr)) : static_cast<F>(std::strtod(out, nullptr));
  if (again != value) {
    size = std::snprintf(out, kFloatTextMax, "%.*g", kDigitsMax, static_cast<double>(value));
  }
  char* const end = out + size;
  if (std::memchr(out, '.', static_cast<std::size_t>(size)) != nullptr) return end;
  if (std::memchr(out, 'e', static_cast<std::size_t>(size)) != nullptr) return end;
  std::memcpy(end, ".0", 2);
  return end + 2;
}

char* write_not_finite(char* out, bool nan, bool negative) noexcept {
  const std::string_view text = nan ? "NaN" : negative ? "-Infinity" : "Infinity";
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

/// Every byte is written where it would stand with or without zeros in front, in an order that leaves the right ones.
char* lay_out(char* out, const FloatDigits& found) noexcept {
  const std::uint64_t first = found.digits / kEight;
  const std::uint64_t rest = spread(found.digits - first * kEight);
  const int count = 1 + static_cast<int>(std::bit_width(rest << 1 | 1) + 6) / 8;
  const int exponent = found.exponent;
  const auto digit = static_cast<char>('0' + first);
  if (static_cast<unsigned>(exponent + 4) >= static_cast<unsigned>(found.precision + 4)) [[unlikely]] {
    *out = digit;
    out[1] = '.';
    put_word(out + 2, rest);
    return write_exponent(out + (count > 1 ? count + 1 : 1), exponent);
  }
  const bool zeros = exponent < 0;
  const int size = zeros ? -exponent : exponent;
  const int digits_at = zeros ? size + 1 : 0;
  const int point_at = zeros ? 1 : size + 1;
  const int shift = zeros ? 0 : 4 * size;  // twice
  std::memcpy(out, "0.000000", 8);
  out[digits_at] = digit;
  put_word(out + digits_at + 1, rest);
  out[point_at] = '.';
  put_word(out + size + 2, rest >> shift >> shift);
  return out + (zeros ? size + 1 + count : std::max(count, size + 2) + 1);
}

char* write(char* out, float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  constexpr std::uint32_t kTwoSmallest = 0x01000000;
  constexpr std::uint32_t kInfinite = 0x7F800000;
  if (magnitude - 1 < kTwoSmallest - 1) [[unlikely]]
    return write_exactly(out, value);
  if (magnitude >= kInfinite) [[unlikely]]
    return write_not_finite(out, magnitude > kInfinite, magnitude != bits);
  FloatDigits digits;
  if (!find_digits(magnitude, digits)) [[unlikely]]
    return write_exactly(out, value);
  *out = '-';
  return lay_out(out + (bits >> 31), digits);
}

char* write(char* out, double value) noexcept {
  constexpr std::uint64_t kHidden = std::uint64_t{1} << kMantissaBits;
  constexpr std::uint64_t kExponentMask = 0x7FF;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t exponent = (bits >> kMantissaBits) & kExponentMask;
  const std::uint64_t fraction = bits & (kHidden - 1);
  const bool negative = (bits >> 63) != 0;
  if (exponent == kExponentMask) return write_not_finite(out, fraction != 0, negative);
  if (exponent <= 1 && (exponent | fraction) != 0) return write_exactly(out, value);
  char* const start = out;
  if (negative) *out++ = '-';
  if ((exponent | fraction) == 0) {
    std::memcpy(out, "0.0", 3);
    return out + 3;
  }
  Decimal decimal;
  const bool clear = to_decimal(kHidden | fraction, static_cast<int>(exponent) - kBias, decimal);
  return clear ? layout(out, decimal) : write_exactly(start, value);
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
