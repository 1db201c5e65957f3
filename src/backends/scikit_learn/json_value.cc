// SPDX-License-Identifier: Apache-2.0
// A parser that keeps its own stack of open containers instead of recursing.
#include "backends/scikit_learn/json_value.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace protean::sklearn {
namespace {

class JsonReader {
 public:
  JsonReader(std::string_view text, ValuePool& pool, unsigned depth_max)
      : text_(text), pool_(pool), depth_max_(depth_max) {}

  Result<Ref> read();

 private:
  struct Open {
    Ref ref;
    bool dict;
  };

  tl::unexpected<Error> broken(const char* what) const {
    return fail(Code::kInvalidArgument, "JSON, byte " + std::to_string(at_) + ": " + what);
  }
  char peek() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]) != nullptr && text_[at_] != '\0') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  Result<Ref> scalar();
  Result<Ref> number();
  Result<Ref> text();
  Status escape(std::string& out);
  Result<std::uint32_t> hex();
  Result<bool> after_value();

  std::string_view text_;
  std::size_t at_ = 0;
  ValuePool& pool_;
  unsigned depth_max_;
  std::vector<Open> open_;
};

Result<std::uint32_t> JsonReader::hex() {
  std::uint32_t code = 0;
  if (text_.size() - at_ < 4) return broken("an escape is cut off");
  const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
  if (error != std::errc() || end != text_.data() + at_ + 4) return broken("an escape is not hexadecimal");
  at_ += 4;
  return code;
}

Status JsonReader::escape(std::string& out) {
  if (at_ >= text_.size()) return broken("an escape is cut off");
  const char c = text_[at_++];
  constexpr std::string_view kFrom = "\"\\/bfnrt";
  constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  if (const auto known = kFrom.find(c); known != std::string_view::npos) {
    out += kTo[known];
    return {};
  }
  if (c != 'u') return broken("an escape is not known");
  TRY(auto code, hex());
  if (code >= 0xd800 && code < 0xdc00 && take("\\u")) {
    TRY(const auto low, hex());
    code = 0x10000 + ((code - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
  }
  if (code >= 0x10000) {
    out += static_cast<char>(0xf0 | ((code >> 18) & 7));
    out += static_cast<char>(0x80 | ((code >> 12) & 63));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  } else if (code >= 0x800) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  } else if (code >= 0x80) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 63));
  } else {
    out += static_cast<char>(code);
  }
  return {};
}

Result<Ref> JsonReader::text() {
  const auto start = ++at_;
  const auto plain = text_.find_first_of("\"\\", at_);
  if (plain == std::string_view::npos) return broken("a text does not end");
  at_ = plain;
  if (text_[at_] == '"') return pool_.add_text(Kind::kText, text_.substr(start, at_++ - start));
  std::string out(text_.substr(start, at_ - start));
  while (true) {
    const auto next = text_.find_first_of("\"\\", at_);
    if (next == std::string_view::npos) return broken("a text does not end");
    out.append(text_.substr(at_, next - at_));
    at_ = next + 1;
    if (text_[next] == '"') break;
    TRY_STATUS(escape(out));
  }
  TRY(const auto kept, pool_.keep(std::move(out)));
  return pool_.add_text(Kind::kText, kept);
}

Result<Ref> JsonReader::number() {
  Node node;
  const auto end = std::min(text_.find_first_not_of("+-0123456789.eE", at_), text_.size());
  const auto digits = text_.substr(at_, end - at_);
  if (digits.empty()) return broken("no value");
  at_ = end;
  const char* last = digits.data() + digits.size();
  if (digits.find_first_of(".eE") == std::string_view::npos) {
    node.kind = Kind::kInt;
    const auto [stop, error] = std::from_chars(digits.data(), last, node.integer);
    if (error == std::errc() && stop == last) return pool_.add(node);
    if (error == std::errc::result_out_of_range && stop == last) return pool_.add_text(Kind::kBigInt, digits);
    return broken("not a number");
  }
  node.kind = Kind::kFloat;
  const auto [stop, error] = std::from_chars(digits.data(), last, node.real);
  if (error != std::errc() || stop != last) return broken("not a number");
  return pool_.add(node);
}

Result<Ref> JsonReader::scalar() {
  Node node;
  if (take("null")) return pool_.add(node);
  node.kind = Kind::kBool;
  node.integer = 1;
  if (take("true")) return pool_.add(node);
  node.integer = 0;
  if (take("false")) return pool_.add(node);
  node.kind = Kind::kFloat;
  node.real = std::nan("");
  if (take("NaN")) return pool_.add(node);
  node.real = HUGE_VAL;
  if (take("Infinity")) return pool_.add(node);
  node.real = -HUGE_VAL;
  if (take("-Infinity")) return pool_.add(node);
  return number();
}

/// Behind a value: closes what ends here.  Returns whether everything is closed.
Result<bool> JsonReader::after_value() {
  while (!open_.empty()) {
    const char c = peek();
    if (c == ',') {
      ++at_;
      return false;
    }
    if (c != (open_.back().dict ? '}' : ']')) return broken("a comma or the end of a list was expected");
    ++at_;
    open_.pop_back();
  }
  return true;
}

Result<Ref> JsonReader::read() {
  Ref root = kNoRef;
  while (true) {
    char c = peek();
    const bool closes = !open_.empty() && c == (open_.back().dict ? '}' : ']');
    if (!closes) {
      if (!open_.empty() && open_.back().dict) {
        if (c != '"') return broken("a key was expected");
        TRY(const auto key, text());
        pool_.items_of(open_.back().ref).push_back(key);
        if (peek() != ':') return broken("a colon was expected");
        ++at_;
        c = peek();
      }
      const bool opens = c == '{' || c == '[';
      Result<Ref> made = opens      ? pool_.add_container(c == '{' ? Kind::kDict : Kind::kList)
                         : c == '"' ? text()
                                    : scalar();
      TRY(const auto value, std::move(made));
      if (open_.empty()) root = value;
      if (!open_.empty()) pool_.items_of(open_.back().ref).push_back(value);
      if (opens) {
        if (open_.size() >= depth_max_) return broken("lists and dicts inside each other, too deep");
        ++at_;
        open_.push_back({value, c == '{'});
        continue;
      }
    }
    TRY(const bool done, after_value());
    if (done) return root;
  }
}

}  // namespace

Result<Ref> read_json(std::string_view text, ValuePool& pool, unsigned depth_max) {
  return JsonReader(text, pool, depth_max).read();
}

}  // namespace protean::sklearn
