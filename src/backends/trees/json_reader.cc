// SPDX-License-Identifier: Apache-2.0
// JSON to a Document. Its own reader rather than a library's: numbers go straight into arrays of numbers, nesting is
// bounded, and NaN and Infinity, which no library takes, stand in the files of XGBoost.
#include <fmt/format.h>

#include <algorithm>

#include "backends/trees/document.h"
#include "backends/trees/numbers.h"
#include "base/text.h"

namespace protean {
namespace {

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Result<Document> read() {
    TRY(auto document, value(1));
    skip_space();
    if (at_ != text_.size()) return malformed("text after the end");
    return document;
  }

 private:
  [[nodiscard]] tl::unexpected<Error> malformed(std::string_view what) const {
    return fail(Code::kInvalidArgument, fmt::format("malformed JSON at byte {}: {}", at_, what));
  }
  void skip_space() noexcept {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  bool take(char c) noexcept {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) noexcept {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  Result<Document> value(std::size_t depth);
  Result<Document> array(std::size_t depth);
  Result<Document> object(std::size_t depth);
  Result<double> number();
  Result<std::string> text();
  Status escape(std::string& out);
  Result<std::uint32_t> four_digits();

  const std::string_view text_;
  std::size_t at_ = 0;
};

Result<Document> JsonReader::value(std::size_t depth) {
  if (depth > kDocumentDepthMax) return malformed(fmt::format("nested deeper than {} levels", kDocumentDepthMax));
  skip_space();
  if (at_ == text_.size()) return malformed("it ends where a value is expected");
  switch (text_[at_]) {
    case '{': return object(depth);
    case '[': return array(depth);
    case '"': {
      TRY(auto string, text());
      return Document(std::move(string));
    }
    case 't':
      if (take_word("true")) return Document(true);
      return malformed("expected a value");
    case 'f':
      if (take_word("false")) return Document(false);
      return malformed("expected a value");
    case 'n':
      if (take_word("null")) return Document();
      return malformed("expected a value");
    default: break;
  }
  TRY(const double found, number());
  return Document(found);
}

Result<double> JsonReader::number() {
  if (take_word("NaN")) return std::numeric_limits<double>::quiet_NaN();
  const auto in_number = [](char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
  };
  const auto start = text_.begin() + static_cast<std::ptrdiff_t>(at_);
  auto end = std::find_if_not(start, text_.end(), in_number);
  if (end != text_.end() && *end == 'I') {
    const bool negative = take('-');
    if (take_word("Infinity")) return (negative ? -1 : 1) * std::numeric_limits<double>::infinity();
  }
  const auto found = parse_double({start, end});
  if (!found) return malformed("expected a value");
  at_ += static_cast<std::size_t>(end - start);
  return *found;
}

Result<Document> JsonReader::array(std::size_t depth) {
  ++at_;
  Document::Numbers numbers;
  Document::Array items;
  bool plain = true;  // numbers and booleans so far
  skip_space();
  if (take(']')) return Document(std::move(items));
  do {
    TRY(auto item, value(depth + 1));
    if (plain && item.number() != nullptr) {
      numbers.push_back(*item.number());
    } else if (plain && item.boolean() != nullptr) {
      numbers.push_back(*item.boolean() ? 1 : 0);
    } else {
      if (plain) {
        for (const double one : numbers) items.emplace_back(one);
        numbers = {};
        plain = false;
      }
      items.push_back(std::move(item));
    }
    skip_space();
  } while (take(','));
  if (!take(']')) return malformed("expected , or ]");
  if (plain) return Document(std::move(numbers));
  return Document(std::move(items));
}

Result<Document> JsonReader::object(std::size_t depth) {
  ++at_;
  Document::Members members;
  skip_space();
  if (take('}')) return Document(std::move(members));
  do {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != '"') return malformed("expected a name");
    TRY(auto name, text());
    skip_space();
    if (!take(':')) return malformed("expected :");
    TRY(auto item, value(depth + 1));
    members.emplace_back(std::move(name), std::move(item));
    skip_space();
  } while (take(','));
  if (!take('}')) return malformed("expected , or }");
  return Document(std::move(members));
}

Result<std::string> JsonReader::text() {
  ++at_;
  std::string out;
  while (true) {
    const auto end = text_.find_first_of("\"\\", at_);
    if (end == std::string_view::npos) return malformed("a text that does not end");
    out.append(text_.substr(at_, end - at_));
    at_ = end + 1;
    if (text_[end] == '"') return out;
    TRY_STATUS(escape(out));
  }
}

Result<std::uint32_t> JsonReader::four_digits() {
  std::uint32_t code = 0;
  const auto digits = text_.substr(at_, 4);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (digits.size() != 4 || error != std::errc{} || end != digits.data() + 4) return malformed("expected four digits");
  at_ += 4;
  return code;
}

Status JsonReader::escape(std::string& out) {
  if (at_ == text_.size()) return malformed("a text that does not end");
  const char c = text_[at_++];
  constexpr std::string_view kFrom = "\"\\/bfnrt";
  constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  if (const auto simple = kFrom.find(c); simple != std::string_view::npos) {
    out.push_back(kTo[simple]);
    return {};
  }
  if (c != 'u') return malformed("an unknown escape");
  TRY(std::uint32_t code, four_digits());
  if (code >= 0xD800 && code < 0xDC00 && take_word("\\u")) {
    TRY(const auto low, four_digits());
    if (low < 0xDC00 || low > 0xDFFF) return malformed("half a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
  } else if (code >= 0xD800 && code <= 0xDFFF) {
    return malformed("half a surrogate pair");
  }
  const auto push = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xC0 | (code >> 6U));
    push(0x80 | (code & 0x3FU));
  } else {
    if (code < 0x10000) {
      push(0xE0 | (code >> 12U));
    } else {
      push(0xF0 | (code >> 18U));
      push(0x80 | ((code >> 12U) & 0x3FU));
    }
    push(0x80 | ((code >> 6U) & 0x3FU));
    push(0x80 | (code & 0x3FU));
  }
  return {};
}

}  // namespace

Result<Document> parse_json(std::string_view text) { return JsonReader(text).read(); }

}  // namespace protean
