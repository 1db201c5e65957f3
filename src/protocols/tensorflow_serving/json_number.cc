// SPDX-License-Identifier: Apache-2.0
// The general way; json_numbers.h has the fast one for long lists.
#include "protocols/tensorflow_serving/json_number.h"

#include <fast_float/fast_float.h>

#include <bit>
#include <cmath>
#include <limits>

#include "protocols/tensorflow_serving/json_numbers.h"

namespace protean::tfserving {
namespace {

constexpr std::string_view kTooBig = "Number too big to be stored in double.";

class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : text_(text) {}

  NumberToken run() noexcept {
    minus_ = consume('-');
    const std::size_t digits = at_;
    if (!consume('0')) {
      while (is_digit()) digit();
      whole_digits_ = at_ - digits;
      if (at_ == digits && !not_finite()) return fail("Invalid value.", at_);
    }
    if (consume('.') && !fraction()) return fail("Miss fraction part in number.", at_);
    if ((consume('e') || consume('E')) && !exponent()) return fail("Miss exponent in number.", at_);
    return finish();
  }

 private:
  [[nodiscard]] char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] bool is_digit() const noexcept { return peek() >= '0' && peek() <= '9'; }
  bool consume(char c) noexcept {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  NumberToken fail(std::string_view error, std::size_t error_at) noexcept {
    token_.error = error;
    token_.error_at = error_at;
    return token_;
  }

  void digit() noexcept {
    const auto value = static_cast<std::uint64_t>(text_[at_++] - '0');
    overflow_ = overflow_ || __builtin_mul_overflow(token_.magnitude, 10, &token_.magnitude) ||
                __builtin_add_overflow(token_.magnitude, value, &token_.magnitude);
  }

  /// Counts the digits that the original takes into its mantissa: that decides which exponents it refuses.
  bool fraction() noexcept {
    whole_ = false;
    const std::size_t start = at_;
    constexpr std::uint64_t kExact = (std::uint64_t{1} << 53) - 1;
    constexpr std::size_t kDigitsMax = 17;
    std::uint64_t mantissa = overflow_ ? kExact + 1 : token_.magnitude;
    std::size_t digits = whole_digits_ > 0 ? whole_digits_ - 1 : 0;
    for (; is_digit(); ++at_) {
      if (mantissa > kExact && digits >= kDigitsMax) continue;
      ++fraction_digits_;
      if (mantissa <= kExact) mantissa = mantissa * 10 + static_cast<std::uint64_t>(peek() - '0');
      if (mantissa != 0) ++digits;
    }
    return at_ > start;
  }

  bool exponent() noexcept {
    whole_ = false;
    const bool negative = consume('-');
    if (!negative) consume('+');
    if (!is_digit()) return false;
    for (; is_digit(); ++at_) {
      if (!negative && exponent_ < std::numeric_limits<int>::max() / 16)
        exponent_ = exponent_ * 10 + (text_[at_] - '0');
    }
    return true;
  }

  /// What follows may be a fraction or an exponent, which then counts for nothing; and after a part of `NaN` there may
  /// be `Inf`: so it is in the original.
  bool not_finite() noexcept {
    if (consume('N') && consume('a') && consume('N')) {
      not_finite_ = std::numeric_limits<double>::quiet_NaN();
      return true;
    }
    if (!consume('I') || !consume('n') || !consume('f')) return false;
    for (const char c : std::string_view(peek() == 'i' ? "inity" : "")) {
      if (!consume(c)) return false;
    }
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    not_finite_ = minus_ ? -kInfinity : kInfinity;
    return true;
  }

  /// Whole numbers are refused when they leave the range of doubles, exponents by their size alone: what both let pass
  /// may still be infinite.
  [[nodiscard]] bool too_big() const noexcept {
    constexpr std::size_t kDigitsSafe = 308;
    if (exponent_ > 308 && static_cast<std::size_t>(exponent_ - 308) > fraction_digits_) return true;
    if (whole_digits_ <= kDigitsSafe) return false;
    double whole = 0;
    const char* const start = text_.data() + (minus_ ? 1 : 0);
    fast_float::from_chars(start, start + whole_digits_, whole);
    return std::isinf(whole);
  }

  NumberToken finish() noexcept {
    token_.size = at_;
    if (not_finite_) {
      token_.real = *not_finite_;
      return too_big() ? fail(kTooBig, 0) : token_;
    }
    constexpr std::uint64_t kLowest = std::uint64_t{1} << 63;
    if (whole_ && !overflow_ && !(minus_ && token_.magnitude > kLowest)) {
      token_.kind = minus_ ? NumberKind::kSigned : NumberKind::kUnsigned;
      token_.real = static_cast<double>(token_.magnitude);
      if (minus_ && token_.magnitude != 0) token_.real = -token_.real;
      return token_;
    }
    token_.magnitude = 0;
    fast_float::from_chars(text_.data(), text_.data() + at_, token_.real);
    return too_big() ? fail(kTooBig, 0) : token_;
  }

  std::string_view text_;
  std::optional<double> not_finite_;
  std::size_t at_ = 0;
  bool minus_ = false;
  bool whole_ = true;
  bool overflow_ = false;
  int exponent_ = 0;
  std::size_t whole_digits_ = 0;  // but for a single 0
  std::size_t fraction_digits_ = 0;
  NumberToken token_;
};

}  // namespace

NumberToken scan_number(std::string_view text) noexcept { return Scanner(text).run(); }

bool rounded_value(const Magnitude& magnitude, const char* start, const char* end, double& out) noexcept {
  if (magnitude.whole && !magnitude.many) {
    out = static_cast<double>(magnitude.digits);
    return true;
  }
  constexpr int kInfinite = 0x7FF;
  if (magnitude.digits != 0 && !magnitude.many) {
    const auto found =
        fast_float::compute_float<fast_float::binary_format<double>>(magnitude.exponent, magnitude.digits);
    if (found.power2 >= 0 && found.power2 < kInfinite) {
      out = std::bit_cast<double>(found.mantissa | (static_cast<std::uint64_t>(found.power2) << 52));
      return true;
    }
  }
  const NumberToken token = scan_number({start, static_cast<std::size_t>(end - start)});
  out = token.real;
  return token.error.empty();
}

}  // namespace protean::tfserving
