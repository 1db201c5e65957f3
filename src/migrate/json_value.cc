// SPDX-License-Identifier: Apache-2.0
// A recursive reader whose depth is bounded. It keeps views, so that a large answer costs its nodes and no strings.
#include "migrate/json_value.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace protean::migrate {
namespace {

using Kind = JsonValue::Kind;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<JsonValue> read_all() {
    skip_space();
    JsonValue value;
    TRY_STATUS(read(value, 0));
    skip_space();
    if (at_ != text_.size()) return wrong("the end of the text");
    return value;
  }

 private:
  [[nodiscard]] tl::unexpected<Error> wrong(std::string_view expected) const {
    return fail(Code::kInvalidArgument, fmt::format("JSON at offset {}: expected {}", at_, expected));
  }
  [[nodiscard]] char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) noexcept {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) noexcept {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void skip_space() noexcept {
    while (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r') ++at_;
  }

  Status read(JsonValue& out, std::size_t depth) {
    if (depth > kJsonDepthMax) return wrong(fmt::format("at most {} levels", kJsonDepthMax));
    const std::size_t begin = at_;
    switch (peek()) {
      case '{': return read_object(out, depth);
      case '[': return read_array(out, depth);
      case '"':
        out.kind = Kind::kString;
        TRY_STATUS(skip_string());
        break;
      case 't':
      case 'f':
        out.kind = Kind::kBool;
        if (!take("true") && !take("false")) return wrong("true or false");
        break;
      case 'n':
        if (!take("null")) return wrong("null");
        break;
      default: out.kind = Kind::kNumber; TRY_STATUS(skip_number());
    }
    out.token = text_.substr(begin, at_ - begin);
    return {};
  }

  Status read_array(JsonValue& out, std::size_t depth) {
    out.kind = Kind::kArray;
    ++at_;
    skip_space();
    if (take(']')) return {};
    while (true) {
      skip_space();
      TRY_STATUS(read(out.items.emplace_back(), depth + 1));
      skip_space();
      if (take(']')) return {};
      if (!take(',')) return wrong("',' or ']'");
    }
  }

  Status read_object(JsonValue& out, std::size_t depth) {
    out.kind = Kind::kObject;
    ++at_;
    skip_space();
    if (take('}')) return {};
    while (true) {
      skip_space();
      const std::size_t begin = at_;
      if (peek() != '"') return wrong("a member's name");
      TRY_STATUS(skip_string());
      out.names.push_back(decode_json_string(text_.substr(begin, at_ - begin)));
      skip_space();
      if (!take(':')) return wrong("':'");
      skip_space();
      TRY_STATUS(read(out.items.emplace_back(), depth + 1));
      skip_space();
      if (take('}')) return {};
      if (!take(',')) return wrong("',' or '}'");
    }
  }

  Status skip_string() {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return {};
      if (static_cast<unsigned char>(c) < 0x20) return wrong("no control character in a string");
      if (c != '\\') continue;
      const char escape = peek();
      if (std::string_view("\"\\/bfnrtu").find(escape) == std::string_view::npos || at_ >= text_.size()) {
        return wrong("an escape");
      }
      ++at_;
      if (escape == 'u') TRY_STATUS(skip_hex());
    }
    return wrong("a closing quotation mark");
  }

  Status skip_hex() {
    for (int i = 0; i < 4; ++i, ++at_) {
      if (std::string_view("0123456789abcdefABCDEF").find(peek()) == std::string_view::npos || at_ >= text_.size()) {
        return wrong("four hexadecimal digits");
      }
    }
    return {};
  }

  bool skip_digits() noexcept {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    return at_ != begin;
  }

  Status skip_number() {
    take('-');
    if (take("NaN") || take("Infinity") || take("Inf")) return {};
    if (peek() == '0') {
      ++at_;
    } else if (!skip_digits()) {
      return wrong("a value");
    }
    if (take('.') && !skip_digits()) return wrong("a digit of the fraction");
    if (!take('e') && !take('E')) return {};
    if (!take('+')) take('-');
    return skip_digits() ? Status{} : wrong("a digit of the exponent");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

unsigned hex4(std::string_view digits) noexcept {
  unsigned value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto tail = [&out](std::uint32_t bits) { out += static_cast<char>(0x80U | (bits & 0x3FU)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0U | (point >> 6));
    tail(point);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0U | (point >> 12));
    tail(point >> 6);
    tail(point);
  } else {
    out += static_cast<char>(0xF0U | (point >> 18));
    tail(point >> 12);
    tail(point >> 6);
    tail(point);
  }
}

/// `text`: behind `\u`.  Returns how many bytes of it were used.
std::size_t append_escaped(std::string& out, std::string_view text) {
  constexpr std::uint32_t kReplacement = 0xFFFD;
  const std::uint32_t first = hex4(text.substr(0, 4));
  if (first < 0xD800 || first > 0xDFFF) {
    append_utf8(out, first);
    return 4;
  }
  const bool pair = first < 0xDC00 && text.size() >= 10 && text[4] == '\\' && text[5] == 'u';
  const std::uint32_t second = pair ? hex4(text.substr(6, 4)) : 0;
  if (second < 0xDC00 || second > 0xDFFF) {
    append_utf8(out, kReplacement);
    return 4;
  }
  append_utf8(out, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
  return 10;
}

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return &items[i];
  }
  return nullptr;
}

Result<JsonValue> parse_json(std::string_view text) { return Reader(text).read_all(); }

std::string decode_json_string(std::string_view token) {
  const std::string_view text = token.substr(1, token.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u': i += append_escaped(out, text.substr(i + 1)); break;
      default: out += text[i];
    }
  }
  return out;
}

double json_number(std::string_view token) noexcept {
  const bool negative = token.starts_with('-');
  const std::string_view rest = token.substr(negative ? 1 : 0);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double value = 0;
  if (rest == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (rest.starts_with('I')) return negative ? -kInfinity : kInfinity;
  const auto read = std::from_chars(token.data(), token.data() + token.size(), value);
  if (read.ec != std::errc::result_out_of_range) return value;
  const auto exponent = token.find_first_of("eE");
  const bool tiny = exponent != std::string_view::npos && token.substr(exponent + 1).starts_with('-');
  return tiny ? 0.0 : negative ? -kInfinity : kInfinity;
}

bool is_integer_token(std::string_view token) noexcept {
  return token.find_first_of(".eENI") == std::string_view::npos;
}

std::string_view json_kind_name(Kind kind) noexcept {
  constexpr std::array<std::string_view, 6> kNames = {"null", "bool", "number", "string", "array", "object"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace protean::migrate
