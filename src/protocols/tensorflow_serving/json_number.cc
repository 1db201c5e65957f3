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

class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : text_(text) {}

  NumberToken run() noexcept {
    minus_ = consume('-');
    const std::size_t digits = at_;
    if (!consume('0')) {
      while (is_digit()) digit();
      if (at_ == digits) return not_finite();
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

  bool fraction() noexcept {
    whole_ = false;
    const std::size_t start = at_;
    while (is_digit()) ++at_;
    fraction_digits_ = at_ - start;
    return fraction_digits_ > 0;
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

  NumberToken not_finite() noexcept {
    if (consume('N')) {
      if (!consume('a') || !consume('N')) return fail("Invalid value.", at_);
      token_.real = std::numeric_limits<double>::quiet_NaN();
    } else if (consume('I')) {
      if (!consume('n') || !consume('f')) return fail("Invalid value.", at_);
      for (const char c : std::string_view(peek() == 'i' ? "inity" : "")) {
        if (!consume(c)) return fail("Invalid value.", at_);
      }
      token_.real = std::numeric_limits<double>::infinity();
    } else {
      return fail("Invalid value.", at_);
    }
    if (minus_) token_.real = -token_.real;
    token_.size = at_;
    return token_;
  }

  NumberToken finish() noexcept {
    token_.size = at_;
    constexpr std::uint64_t kLowest = std::uint64_t{1} << 63;
    if (whole_ && !overflow_ && !(minus_ && token_.magnitude > kLowest)) {
      token_.kind = minus_ ? NumberKind::kSigned : NumberKind::kUnsigned;
      token_.real = static_cast<double>(token_.magnitude);
      if (minus_ && token_.magnitude != 0) token_.real = -token_.real;
      return token_;
    }
    token_.magnitude = 0;
    fast_float::from_chars(text_.data(), text_.data() + at_, token_.real);
    // The exponent is refused for its own size, even where all digits are zeros.
    const bool zero_too_large =
        token_.real == 0 && exponent_ > 308 && static_cast<std::size_t>(exponent_ - 308) > fraction_digits_;
    if (std::isinf(token_.real) || zero_too_large) return fail("Number too big to be stored in double.", 0);
    return token_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool minus_ = false;
  bool whole_ = true;
  bool overflow_ = false;
  int exponent_ = 0;
  std::size_t fraction_digits_ = 0;
  NumberToken token_;
};

}  // namespace

NumberToken scan_number(std::string_view text) noexcept { return Scanner(text).run(); }

bool rounded_value(const Magnitude& magnitude, double& out) noexcept {
  if (magnitude.whole) {
    out = static_cast<double>(magnitude.digits);
    return true;
  }
  if (magnitude.digits == 0) return false;
  const auto found = fast_float::compute_float<fast_float::binary_format<double>>(magnitude.exponent, magnitude.digits);
  constexpr int kInfinite = 0x7FF;
  if (found.power2 < 0 || found.power2 >= kInfinite) return false;
  out = std::bit_cast<double>(found.mantissa | (static_cast<std::uint64_t>(found.power2) << 52));
  return true;
}

}  // namespace protean::tfserving
