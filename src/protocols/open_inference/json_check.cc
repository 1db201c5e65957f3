// SPDX-License-Identifier: Apache-2.0
// The walk is a loop over "a value is due" and "a value has ended", with one bit a level: array or object.
#include "protocols/open_inference/json_check.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"

namespace protean {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_hex(char c) noexcept { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::size_t skip_digits(std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

/// The end of the number at the start of `text`; 0 when there is none.
std::size_t number_end(std::string_view text) noexcept {
  std::size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
  if (at == text.size() || !is_digit(text[at])) return 0;
  at = text[at] == '0' ? at + 1 : skip_digits(text, at);
  if (at < text.size() && text[at] == '.') {
    const std::size_t end = skip_digits(text, at + 1);
    if (end == at + 1) return 0;
    at = end;
  }
  if (at < text.size() && (text[at] | 0x20) == 'e') {
    const bool sign = at + 1 < text.size() && (text[at + 1] == '+' || text[at + 1] == '-');
    const std::size_t digits = at + (sign ? 2 : 1);
    const std::size_t end = skip_digits(text, digits);
    if (end == digits) return 0;
    at = end;
  }
  return at;
}

std::size_t sequence_size(unsigned char lead) noexcept {
  if (lead < 0xC0) return 1;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

class Walk {
 public:
  Walk(std::string_view text, const JsonCheck& check) : text_(text), check_(check) {}

  std::optional<JsonFault> run() {
    bool value_due = true;
    while (!fault_) {
      skip_space();
      if (value_due) {
        value_due = begin_value();
      } else if (levels_.empty()) {
        if (at_ < text_.size()) fail("expected the end of the text");
        break;
      } else {
        value_due = after_value();
      }
    }
    return std::move(fault_);
  }

 private:
  void fail(std::string_view expected) {
    if (fault_) return;
    std::string found = "the text ends";
    if (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      found = c > 0x20 && c < 0x7F ? fmt::format("found '{}'", text_[at_]) : fmt::format("found byte 0x{:02x}", c);
    }
    fault_ = JsonFault{at_, fmt::format("{}, {}", found, expected)};
  }

  void skip_space() noexcept {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  bool take(char c) noexcept {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool take_word(std::string_view word) noexcept {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  /// True when a value is due next: the first element of an array or the first member of an object.
  bool begin_value() {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (c == '{' || c == '[') return open(c == '{');
    if (c == '"') {
      string();
    } else {
      scalar();
    }
    return false;
  }

  bool open(bool object) {
    if (levels_.size() == check_.depth_max) {
      fail(fmt::format("expected at most {} levels of nesting", check_.depth_max));
      return false;
    }
    ++at_;
    skip_space();
    if (take(object ? '}' : ']')) return false;
    levels_.push_back(object);
    if (object) member_name();
    return true;
  }

  bool after_value() {
    const bool object = levels_.back();
    if (take(object ? '}' : ']')) {
      levels_.pop_back();
      return false;
    }
    if (!take(',')) {
      fail(object ? "expected ',' or '}'" : "expected ',' or ']'");
      return false;
    }
    skip_space();
    if (object) member_name();
    return true;
  }

  void member_name() {
    if (at_ == text_.size() || text_[at_] != '"') return fail("expected a member name in quotes");
    string();
    skip_space();
    if (!fault_ && !take(':')) fail("expected ':'");
  }

  void scalar() {
    if (take_word("true") || take_word("false") || take_word("null")) return end_scalar();
    if (check_.allow_nonfinite && (take_word("NaN") || take_word("Infinity") || take_word("-Infinity"))) {
      return end_scalar();
    }
    const std::size_t end = number_end(text_.substr(at_));
    if (end == 0) return fail("expected a value");
    at_ += end;
    end_scalar();
  }

  void end_scalar() {
    constexpr std::string_view kEnds = " \n\r\t,]}:[{\"";
    if (at_ < text_.size() && kEnds.find(text_[at_]) == std::string_view::npos) fail("expected the end of the value");
  }

  void string() {
    ++at_;
    while (at_ < text_.size() && !fault_) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return;
      }
      if (c == '\\') {
        escape();
      } else if (c < 0x20) {
        fail("expected control characters in strings to be escaped");
      } else {
        const std::size_t size = sequence_size(c);
        if (c >= 0x80 && !is_utf8(text_.substr(at_, size))) return fail("expected UTF-8");
        at_ += size;
      }
    }
    fail("expected '\"' at the end of the string");
  }

  /// The four hexadecimal digits after \u; -1 when they are not there.
  int code_unit(std::size_t at) const noexcept {
    if (text_.size() - at < 4) return -1;
    int unit = 0;
    for (const char c : text_.substr(at, 4)) {
      if (!is_hex(c)) return -1;
      unit = unit * 16 + (is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
  }

  void escape() {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c != '\0' && kLetters.find(c) != std::string_view::npos) {
      at_ += 2;
      return;
    }
    const int unit = c == 'u' ? code_unit(at_ + 2) : -1;
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return fail("expected a valid escape sequence");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      const bool second = text_.substr(at_ + 6, 2) == "\\u";
      const int low = second ? code_unit(at_ + 8) : -1;
      if (low < 0xDC00 || low > 0xDFFF) return fail("expected the second half of a surrogate pair");
      at_ += 6;
    }
    at_ += 6;
  }

  std::string_view text_;
  JsonCheck check_;
  std::size_t at_ = 0;
  std::vector<bool> levels_;  // true: object
  std::optional<JsonFault> fault_;
};

}  // namespace

std::optional<JsonFault> check_json(std::string_view text, const JsonCheck& check) { return Walk(text, check).run(); }

bool is_json_number(std::string_view text) noexcept { return !text.empty() && number_end(text) == text.size(); }

}  // namespace protean
