// SPDX-License-Identifier: Apache-2.0
// A float is m * 2^e. Times a power of ten, as a 64-bit approximation of it, that is a fixed-point number whose whole
// part are the digits wanted and whose fraction says how to round; the approximation's error is below m units of the
// last place, and whatever lies that close to a decision is left to the C library.
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
#include <optional>
#include <type_traits>

namespace protean::tfserving {
namespace {

__extension__ using Wide = unsigned __int128;

/// `Product`: holds a mantissa times a power of ten without its lowest kDropped bits.
template <typename F>
struct Format;
template <>
struct Format<float> {
  using Bits = std::uint32_t;
  using Product = std::uint64_t;
  static constexpr int kDropped = 24;
  static constexpr int kMantissaBits = 23;
  static constexpr int kBias = 127 + 23;
  static constexpr int kDigits = 9;
  static constexpr std::uint64_t kLimit = 1'000'000'000;
  static constexpr std::uint64_t kToSix = 1'000;
};
template <>
struct Format<double> {
  using Bits = std::uint64_t;
  using Product = Wide;
  static constexpr int kDropped = 0;
  static constexpr int kMantissaBits = 52;
  static constexpr int kBias = 1023 + 52;
  static constexpr int kDigits = 17;
  static constexpr std::uint64_t kLimit = 100'000'000'000'000'000;
  static constexpr std::uint64_t kToSix = 100'000'000'000;
};

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
std::uint64_t spread(std::uint64_t digits) noexcept {
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
template <typename F>
struct Scaled {
  std::uint64_t whole;
  typename Format<F>::Product fraction;
  typename Format<F>::Product error;
  std::uint64_t unit;
  int shift;
};

template <typename F>
bool scale(std::uint64_t mantissa, int exponent, int power, Scaled<F>& out) noexcept {
  using Product = typename Format<F>::Product;
  constexpr int kPowerMin = fast_float::powers::smallest_power_of_five;
  constexpr int kPowerMax = fast_float::powers::largest_power_of_five;
  if (power < kPowerMin || power > kPowerMax) return false;
  out.unit = fast_float::powers::power_of_five_128[2 * (power - kPowerMin)] >> Format<F>::kDropped;
  const Product product = static_cast<Product>(mantissa) * out.unit;
  out.shift = 63 - Format<F>::kDropped - ((152170 * power) >> 16) - power - exponent;
  if (out.shift < 8 || out.shift > static_cast<int>(4 * sizeof(Product)) + 8) return false;
  out.whole = static_cast<std::uint64_t>(product >> out.shift);
  out.fraction = product & ((Product{1} << out.shift) - 1);
  out.error = mantissa + 2;
  return true;
}

/// Six digits, if they are nearer to the value than to its neighbours. nullopt: too close to tell.
template <typename F>
std::optional<bool> take_six(const Scaled<F>& scaled, std::uint64_t mantissa, Decimal& decimal) noexcept {
  using Product = typename Format<F>::Product;
  constexpr std::uint64_t kToSix = Format<F>::kToSix;
  const Product step = static_cast<Product>(kToSix) << scaled.shift;
  const Product above = (static_cast<Product>(scaled.whole % kToSix) << scaled.shift) + scaled.fraction;
  const bool up = above > step / 2;
  const Product distance = up ? step - above : above;
  // Below a power of two the neighbour is half as far away.
  const bool narrow = !up && mantissa == std::uint64_t{1} << Format<F>::kMantissaBits;
  const Product reach = scaled.unit / (narrow ? 4 : 2);
  if (distance >= reach + scaled.error) return false;
  if (distance + scaled.error >= reach) return std::nullopt;
  const std::uint64_t six = scaled.whole / kToSix + (up ? 1 : 0);
  const bool carry = six == 1'000'000;
  const std::uint64_t digits = carry ? 100'000 : six;
  decimal = {digits / 100'000, digits % 100'000 * 1000, 0, decimal.exponent + (carry ? 1 : 0), 6};
  return true;
}

/// False: the C library must decide.
template <typename F>
bool to_decimal(std::uint64_t mantissa, int exponent, Decimal& decimal) noexcept {
  using Of = Format<F>;
  using Product = typename Of::Product;
  int ten = ((exponent + Of::kMantissaBits) * 78913) >> 18;  // floor(log10(2^n)), as far as floats go
  Scaled<F> scaled;
  if (!scale<F>(mantissa, exponent, Of::kDigits - 1 - ten, scaled)) return false;
  if (scaled.whole >= Of::kLimit && !scale<F>(mantissa, exponent, Of::kDigits - 1 - ++ten, scaled)) return false;
  decimal.exponent = ten;
  const auto six = take_six<F>(scaled, mantissa, decimal);
  if (!six || *six) return six.has_value();
  const Product half = Product{1} << (scaled.shift - 1);
  const bool up = scaled.fraction > half;
  if ((up ? scaled.fraction - half : half - scaled.fraction) <= scaled.error) return false;
  std::uint64_t digits = scaled.whole + (up ? 1 : 0);
  if (digits == Of::kLimit) {
    digits /= 10;
    ++decimal.exponent;
  }
  decimal.precision = Of::kDigits;
  if constexpr (Of::kDigits == 9) {
    decimal.high = digits % kEight;
    decimal.first = digits / kEight;
  } else {
    decimal.low = digits % kEight;
    decimal.high = digits / kEight % kEight;
    decimal.first = digits / kEight / kEight;
  }
  return true;
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
  Decimal decimal;
  const bool clear = to_decimal<F>(kHidden | fraction, static_cast<int>(exponent) - Of::kBias, decimal);
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
