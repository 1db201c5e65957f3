// SPDX-License-Identifier: Apache-2.0
// Recursive descent, at most kAdminDepthMax deep.
#include "protocols/admin/json_value.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::string_view kDigits = "0123456789";

void append_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(bits); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) {
    byte(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
  }
  byte(0x80 | (code & 0x3F));
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<JsonValue> document() {
    TRY(JsonValue value, read_value(0));
    skip_space();
    if (at_ != text_.size()) return expected("the end");
    return value;
  }

 private:
  tl::unexpected<Error> expected(std::string_view what) const {
    const std::string found = at_ < text_.size() ? fmt::format("'{}'", printable(text_.substr(at_, 1))) : "the end";
    return fail(Code::kInvalidArgument,
                fmt::format("malformed JSON at byte {}: found {}, expected {}", at_, found, what));
  }

  void skip_space() noexcept { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  [[nodiscard]] char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view token) noexcept {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  Result<JsonValue> read_value(std::size_t depth) {
    skip_space();
    if (depth > kAdminDepthMax) return expected(fmt::format("at most {} levels", kAdminDepthMax));
    if (take("{")) return read_object(depth + 1);
    if (take("[")) return read_array(depth + 1);
    if (take("\"")) {
      TRY(std::string text, read_string());
      return JsonValue{std::move(text)};
    }
    if (take("true")) return JsonValue{true};
    if (take("false")) return JsonValue{false};
    if (take("null")) return JsonValue{JsonNull{}};
    return read_number();
  }

  Result<JsonValue> read_object(std::size_t depth) {
    JsonObject members;
    skip_space();
    if (take("}")) return JsonValue{std::move(members)};
    while (true) {
      skip_space();
      const std::size_t start = at_;
      if (!take("\"")) return expected("a name in quotes");
      TRY(std::string name, read_string());
      if (std::ranges::find(members, name, &JsonMember::name) != members.end()) {
        at_ = start;
        return expected(fmt::format("each name once, '{}' is repeated", printable(name)));
      }
      if (members.size() == kMembersMax) return expected(fmt::format("at most {} members", kMembersMax));
      skip_space();
      if (!take(":")) return expected("':'");
      TRY(JsonValue value, read_value(depth));
      members.push_back({std::move(name), std::move(value)});
      skip_space();
      if (take("}")) return JsonValue{std::move(members)};
      if (!take(",")) return expected("',' or '}'");
    }
  }

  Result<JsonValue> read_array(std::size_t depth) {
    JsonArray elements;
    skip_space();
    if (take("]")) return JsonValue{std::move(elements)};
    while (true) {
      TRY(JsonValue value, read_value(depth));
      elements.push_back(std::move(value));
      skip_space();
      if (take("]")) return JsonValue{std::move(elements)};
      if (!take(",")) return expected("',' or ']'");
    }
  }

  /// Behind the opening quote.
  Result<std::string> read_string() {
    std::string out;
    const std::size_t start = at_;
    while (at_ < text_.size() && peek() != '"') {
      if (static_cast<unsigned char>(peek()) < 0x20) return expected("no control character inside text");
      if (peek() == '\\') {
        TRY_STATUS(read_escape(out));
      } else {
        out += text_[at_++];
      }
    }
    if (!take("\"")) return expected("'\"'");
    if (!is_utf8(out)) {
      at_ = start;
      return expected("UTF-8");
    }
    return out;
  }

  Status read_escape(std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    ++at_;
    if (take("u")) {
      TRY(std::uint32_t code, read_hex());
      if (code >= 0xD800 && code < 0xDC00 && take("\\u")) {
        TRY(const std::uint32_t low, read_hex());
        if (low < 0xDC00 || low > 0xDFFF) return expected("the second half of a surrogate pair before this");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      }
      // A half on its own makes bytes that are not UTF-8 and is refused with the text.
      append_utf8(out, code);
      return {};
    }
    const auto meaning = kLetters.find(peek());
    if (at_ >= text_.size() || meaning == std::string_view::npos) return expected("an escape of JSON");
    out += kMeanings[meaning];
    ++at_;
    return {};
  }

  Result<std::uint32_t> read_hex() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      constexpr std::string_view kHex = "0123456789abcdef";
      const char c = peek();
      const auto digit = kHex.find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
      if (at_ >= text_.size() || digit == std::string_view::npos) return expected("four hexadecimal digits");
      code = code * 16 + static_cast<std::uint32_t>(digit);
      ++at_;
    }
    return code;
  }

  bool take_digits() noexcept {
    const std::size_t start = at_;
    at_ = std::min(text_.find_first_not_of(kDigits, at_), text_.size());
    return at_ > start;
  }

  Result<JsonValue> read_number() {
    const std::size_t start = at_;
    const bool negative = take("-");
    if (at_ == text_.size() || kDigits.find(peek()) == std::string_view::npos) return expected("a value");
    if (!take("0")) take_digits();
    const auto whole = parse_uint64(text_.substr(start, at_ - start));
    bool integer = !negative;
    if (take(".")) {
      integer = false;
      if (!take_digits()) return expected("a digit");
    }
    if (take("e") || take("E")) {
      integer = false;
      if (!take("+")) take("-");
      if (!take_digits()) return expected("a digit");
    }
    if (!integer || !whole) return JsonValue{JsonOtherNumber{}};
    return JsonValue{*whole};
  }

  static constexpr std::size_t kMembersMax = 64;

  const std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string describe(const JsonValue& value) {
  struct Describer {
    std::string operator()(JsonNull) const { return "null"; }
    std::string operator()(bool truth) const { return truth ? "true" : "false"; }
    std::string operator()(std::uint64_t number) const { return fmt::format("{}", number); }
    std::string operator()(JsonOtherNumber) const { return "another number"; }
    std::string operator()(const std::string& text) const { return fmt::format("\"{}\"", printable(text)); }
    std::string operator()(const JsonArray&) const { return "an array"; }
    std::string operator()(const JsonObject&) const { return "an object"; }
  };
  return std::visit(Describer{}, value.value);
}

Result<JsonValue> parse_admin_json(std::string_view text) {
  if (text.size() > kAdminBytesMax) {
    return fail(Code::kInvalidArgument,
                fmt::format("the body has {} bytes, expected at most {}", text.size(), kAdminBytesMax));
  }
  return Reader(text).document();
}

}  // namespace protean
