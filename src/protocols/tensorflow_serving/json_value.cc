// SPDX-License-Identifier: Apache-2.0
// The text is known to be well-formed, so that only its end is checked here: one that is not gives nonsense.
#include "protocols/tensorflow_serving/json_value.h"

#include <algorithm>

namespace protean::tfserving {
namespace {

std::string_view without_space(std::string_view text) noexcept {
  const std::size_t start = text.find_first_not_of(" \n\r\t");
  return text.substr(std::min(start, text.size()));
}

std::string_view after_string(std::string_view text) noexcept {
  std::size_t at = 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return text.substr(std::min(at + 1, text.size()));
}

/// From an opening bracket to behind its closing one.
std::string_view after_nested(std::string_view text) noexcept {
  std::size_t depth = 0;
  while (!text.empty()) {
    const char c = text.front();
    if (c == '"') {
      text = after_string(text);
      continue;
    }
    text.remove_prefix(1);
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && --depth == 0) break;
  }
  return text;
}

std::string_view after_word(std::string_view text) noexcept {
  return text.substr(std::min(text.find_first_of(",]} \n\r\t"), text.size()));
}

unsigned hex4(std::string_view digits) noexcept {
  unsigned code = 0;
  for (const char c : digits.substr(0, 4)) {
    code = code * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return code;
}

void append_utf8(std::string& out, unsigned code) {
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

/// What stands behind a backslash; returns how many bytes that was.
std::size_t append_escape(std::string& out, std::string_view text) {
  switch (text.front()) {
    case 'b': out += '\b'; return 1;
    case 'f': out += '\f'; return 1;
    case 'n': out += '\n'; return 1;
    case 'r': out += '\r'; return 1;
    case 't': out += '\t'; return 1;
    case 'u': break;
    default: out += text.front(); return 1;
  }
  const unsigned first = hex4(text.substr(1));
  if (first < 0xD800 || first > 0xDBFF || text.size() < 11) {
    append_utf8(out, first);
    return 5;
  }
  append_utf8(out, (((first - 0xD800) << 10) | (hex4(text.substr(7)) - 0xDC00)) + 0x10000);
  return 11;
}

}  // namespace

std::string_view json_type_name(JsonType type) noexcept {
  switch (type) {
    case JsonType::kNull: return "Null";
    case JsonType::kFalse: return "False";
    case JsonType::kTrue: return "True";
    case JsonType::kObject: return "Object";
    case JsonType::kArray: return "Array";
    case JsonType::kString: return "String";
    case JsonType::kNumber: return "Number";
  }
  return "Null";
}

JsonType JsonValue::type() const noexcept {
  switch (rest_.empty() ? '\0' : rest_.front()) {
    case 'n': return JsonType::kNull;
    case 'f': return JsonType::kFalse;
    case 't': return JsonType::kTrue;
    case '{': return JsonType::kObject;
    case '[': return JsonType::kArray;
    case '"': return JsonType::kString;
    default: return JsonType::kNumber;
  }
}

std::string JsonValue::string() const {
  std::string out;
  std::size_t at = 1;
  while (at < rest_.size() && rest_[at] != '"') {
    const std::size_t plain = std::min(rest_.find_first_of("\"\\", at), rest_.size());
    out.append(rest_, at, plain - at);
    at = plain;
    if (at + 1 >= rest_.size()) break;  // of a text that ends here, only well-formed ones have a quote
    if (rest_[at] == '\\') at += 1 + append_escape(out, rest_.substr(at + 1));
  }
  return out;
}

JsonExtent JsonValue::extent() const noexcept {
  JsonElements at(*this);
  std::size_t count = 0;
  for (; at; at.next()) ++count;
  return {count, rest_.size() - at.rest().size() + 1};
}

std::optional<JsonValue> JsonValue::find(std::string_view name) const {
  for (JsonMembers at(*this); at; at.next()) {
    if (at.name() == name) return at.value();
  }
  return std::nullopt;
}

std::optional<JsonValue> JsonValue::first() const noexcept {
  const JsonElements at(*this);
  return at ? std::optional(at.value()) : std::nullopt;
}

std::optional<std::string> JsonValue::base64_text() const {
  if (!is(JsonType::kObject)) return std::nullopt;
  JsonMembers at(*this);
  if (!at || !at.value().is(JsonType::kString) || at.name() != "b64") return std::nullopt;
  const JsonValue value = at.value();
  at.next();
  if (at) return std::nullopt;
  return value.string();
}

std::string_view JsonValue::after() const noexcept {
  switch (type()) {
    case JsonType::kObject:
    case JsonType::kArray: return after_nested(rest_);
    case JsonType::kString: return after_string(rest_);
    default: return after_word(rest_);
  }
}

JsonElements::JsonElements(const JsonValue& list) noexcept
    : rest_(without_space(list.rest().substr(1))), done_(rest_.empty() || rest_.front() == ']') {}

void JsonElements::next(std::string_view after) noexcept {
  rest_ = without_space(after);
  done_ = rest_.empty() || rest_.front() == ']';
  if (!done_) rest_ = without_space(rest_.substr(1));
}

JsonMembers::JsonMembers(const JsonValue& object) noexcept : done_(false) {
  take(without_space(object.rest().substr(1)));
}

void JsonMembers::take(std::string_view rest) noexcept {
  done_ = rest.empty() || rest.front() == '}';
  if (done_) return;
  name_ = JsonValue(rest);
  const std::string_view colon = without_space(after_string(rest));
  value_ = JsonValue(without_space(colon.substr(std::min<std::size_t>(1, colon.size()))));
}

void JsonMembers::next() noexcept {
  const std::string_view rest = without_space(value_.after());
  take(rest.empty() || rest.front() == '}' ? rest : without_space(rest.substr(1)));
}

}  // namespace protean::tfserving
