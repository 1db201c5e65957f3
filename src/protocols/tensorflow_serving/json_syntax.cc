// SPDX-License-Identifier: Apache-2.0
// One state machine over the tokens:
//   kStart -> value -> kDone;  kObjectFirst/kKey -> kColon -> kMember -> kAfterMember -> kKey or the end of the object;
//   kArrayFirst/kElement -> kAfterElement -> kElement or the end of the array
#include "protocols/tensorflow_serving/json_syntax.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "protocols/tensorflow_serving/json_number.h"

namespace protean::tfserving {
namespace {

enum class State : unsigned char {
  kStart,
  kObjectFirst,
  kKey,
  kColon,
  kMember,
  kAfterMember,
  kArrayFirst,
  kElement,
  kAfterElement,
  kDone,
};

constexpr std::string_view kInvalidValue = "Invalid value.";

/// What is said when a token, or the end, comes that the state has no use for.
std::string_view complaint(State state) noexcept {
  switch (state) {
    case State::kStart: return "The document is empty.";
    case State::kObjectFirst:
    case State::kKey: return "Missing a name for object member.";
    case State::kColon: return "Missing a colon after a name of object member.";
    case State::kAfterMember: return "Missing a comma or } after an object member.";
    case State::kAfterElement: return "Missing a comma or ] after an array element.";
    default: return kInvalidValue;
  }
}

bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Checker {
 public:
  Checker(std::string_view text, std::size_t depth_max) : text_(text), depth_max_(depth_max) {}

  Syntax run() {
    Syntax syntax;
    if (text_.empty()) {
      syntax.error = SyntaxError{"The document is empty", std::nullopt};
      return syntax;
    }
    for (const char mark : {'\xEF', '\xBB', '\xBF'}) consume(mark);
    skip_space();
    syntax.root = at_;
    while (state_ != State::kDone && !error_) {
      skip_space();
      if (peek() == '\0') {
        refuse(complaint(state_));
      } else {
        step(peek());
      }
    }
    syntax.error = std::move(error_);
    return syntax;
  }

 private:
  [[nodiscard]] char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool consume(char c) noexcept {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() noexcept {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  void refuse(std::string_view text) { refuse_at(text, at_); }
  void refuse_at(std::string_view text, std::size_t offset) {
    if (!error_) error_ = SyntaxError{std::string(text), offset};
  }

  void step(char c) {
    switch (state_) {
      case State::kObjectFirst:
        if (consume('}')) return close();
        [[fallthrough]];
      case State::kKey:
        if (c != '"') return refuse(complaint(state_));
        string();
        state_ = State::kColon;
        return;
      case State::kColon:
        if (!consume(':')) return refuse(complaint(state_));
        state_ = State::kMember;
        return;
      case State::kAfterMember:
        if (consume('}')) return close();
        if (!consume(',')) return refuse(complaint(state_));
        state_ = State::kKey;
        return;
      case State::kAfterElement:
        if (consume(']')) return close();
        if (!consume(',')) return refuse(complaint(state_));
        state_ = State::kElement;
        return;
      case State::kArrayFirst:
        if (consume(']')) return close();
        [[fallthrough]];
      default: return value(c);
    }
  }

  void value(char c) {
    switch (c) {
      case '{': return open(State::kObjectFirst);
      case '[': return open(State::kArrayFirst);
      case '}':
      case ']':
      case ',':
      case ':': return refuse(complaint(state_));
      case '"': string(); break;
      case 't': literal("true"); break;
      case 'f': literal("false"); break;
      case 'n': literal("null"); break;
      default: number();
    }
    ended();
  }

  void open(State inside) {
    if (open_.size() == depth_max_) {
      return refuse(fmt::format("More than {} lists and objects inside each other.", depth_max_));
    }
    ++at_;
    open_.push_back(inside == State::kObjectFirst);
    state_ = inside;
  }

  void close() {
    open_.pop_back();
    ended();
  }

  void ended() { state_ = open_.empty() ? State::kDone : open_.back() ? State::kAfterMember : State::kAfterElement; }

  void literal(std::string_view word) {
    for (const char c : word) {
      if (!consume(c)) return refuse(kInvalidValue);
    }
  }

  void number() {
    const NumberToken token = scan_number(text_.substr(at_));
    if (token.error.empty()) {
      at_ += token.size;
    } else {
      refuse_at(token.error, at_ + token.error_at);
    }
  }

  void string() {
    ++at_;
    while (!error_) {
      const char c = peek();
      if (c == '"') {
        ++at_;
        return;
      }
      if (c == '\\') {
        escape();
      } else if (static_cast<unsigned char>(c) >= 0x20) {
        ++at_;
      } else if (c == '\0') {
        refuse("Missing a closing quotation mark in string.");
      } else {
        refuse("Invalid escape character in string.");
      }
    }
  }

  void escape() {
    const std::size_t start = at_++;
    const char c = peek();
    if (c != 'u') {
      if (c == '\0' || std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) {
        return refuse_at("Invalid escape character in string.", start);
      }
      ++at_;
      return;
    }
    ++at_;
    const unsigned first = hex4(start);
    if (error_ || first < 0xD800 || first > 0xDBFF) return;  // a lower half alone is taken
    const bool pair = consume('\\') && consume('u');
    const unsigned second = pair ? hex4(start) : 0;
    if (second < 0xDC00 || second > 0xDFFF) refuse_at("The surrogate pair in string is invalid.", start);
  }

  unsigned hex4(std::size_t start) {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      if (!is_hex(c)) {
        refuse_at("Incorrect hex digit after \\u escape in string.", start);
        return 0;
      }
      code = code * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
      ++at_;
    }
    return code;
  }

  std::string_view text_;
  std::size_t depth_max_;
  std::size_t at_ = 0;
  State state_ = State::kStart;
  std::vector<bool> open_;  // objects are true
  std::optional<SyntaxError> error_;
};

}  // namespace

Syntax check_syntax(std::string_view text, std::size_t depth_max) { return Checker(text, depth_max).run(); }

Error syntax_error(const SyntaxError& error) {
  if (!error.offset) return fail(Code::kInvalidArgument, "JSON Parse error: " + error.text).value();
  return fail(Code::kInvalidArgument, fmt::format("JSON Parse error: {} at offset: {}", error.text, *error.offset))
      .value();
}

}  // namespace protean::tfserving
