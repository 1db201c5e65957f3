// SPDX-License-Identifier: Apache-2.0
// The layout of RapidJSON's PrettyWriter with lists on single lines; numbers inside lists and objects as its Writer
// prints them (shortest digits), a number alone as replies have it.
#include "protocols/tensorflow_serving/json_print.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "protocols/tensorflow_serving/errors.h"
#include "protocols/tensorflow_serving/float_text.h"

namespace protean::tfserving {
namespace {

constexpr std::size_t kBytesMax = 256;

/// Shortest digits: plain from 1e-6 up to 21 digits before the point, else with an exponent.
std::string shortest(double value) {
  if (!std::isfinite(value)) return {};
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific).ptr;
  const std::string_view all(text.data(), static_cast<std::size_t>(end - text.data()));
  const std::size_t e = all.find('e');
  std::string digits;
  for (const char c : all.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const std::string sign = std::signbit(value) ? "-" : "";
  int exponent = 0;
  const std::size_t exponent_at = e + (all[e + 1] == '+' ? 2 : 1);
  std::from_chars(all.data() + exponent_at, all.data() + all.size(), exponent);
  const int point = exponent + 1;
  const int count = static_cast<int>(digits.size());
  if (point >= count && point <= 21)
    return sign + digits + std::string(static_cast<std::size_t>(point - count), '0') + ".0";
  if (point > 0 && point <= 21) return sign + digits.insert(static_cast<std::size_t>(point), ".");
  if (point > -6 && point <= 0) return sign + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  if (count > 1) digits.insert(1, ".");
  return fmt::format("{}{}e{}", sign, digits, exponent);
}

class Printer {
 public:
  std::string run(const JsonValue& value) {
    print(value, 0);
    if (out_.size() > kBytesMax) out_.resize(kBytesMax);
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool full() const noexcept { return out_.size() >= kBytesMax; }

  void new_line(std::size_t level) {
    out_ += '\n';
    out_.append(level * 4, ' ');
  }

  /// Recursion is as deep as check_syntax() allows, and ends when the limit is reached.
  void print(const JsonValue& value, std::size_t level) {
    switch (value.type()) {
      case JsonType::kNull: out_ += "null"; break;
      case JsonType::kFalse: out_ += "false"; break;
      case JsonType::kTrue: out_ += "true"; break;
      case JsonType::kString: append_json_text(out_, value.string()); break;
      case JsonType::kNumber: number(value.number()); break;
      case JsonType::kArray: array(value, level); break;
      case JsonType::kObject: object(value, level); break;
    }
  }

  void number(const NumberToken& token) {
    switch (token.kind) {
      case NumberKind::kUnsigned: out_ += std::to_string(token.magnitude); break;
      case NumberKind::kSigned: out_ += fmt::format("{}{}", token.magnitude == 0 ? "" : "-", token.magnitude); break;
      case NumberKind::kDouble: out_ += shortest(token.real); break;
    }
  }

  void array(const JsonValue& value, std::size_t level) {
    out_ += '[';
    bool first = true;
    for (JsonElements at(value); at && !full(); at.next()) {
      if (!first) out_ += ", ";
      first = false;
      print(at.value(), level + 1);
    }
    out_ += ']';
  }

  void object(const JsonValue& value, std::size_t level) {
    out_ += '{';
    bool empty = true;
    for (JsonMembers at(value); at && !full(); at.next()) {
      if (!empty) out_ += ',';
      empty = false;
      new_line(level + 1);
      append_json_text(out_, at.name());
      out_ += ": ";
      print(at.value(), level + 1);
    }
    if (!empty) new_line(level);
    out_ += '}';
  }

  std::string out_;
};

}  // namespace

std::string print_value(const JsonValue& value) {
  if (value.is(JsonType::kNumber)) {
    const NumberToken token = value.number();
    const bool fits_float = std::abs(token.real) <= static_cast<double>(std::numeric_limits<float>::max());
    if (token.kind == NumberKind::kDouble) {
      std::string out;
      fits_float ? append_float(out, static_cast<float>(token.real)) : append_double(out, token.real);
      return out;
    }
  }
  return Printer().run(value);
}

}  // namespace protean::tfserving
