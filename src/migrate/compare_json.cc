// SPDX-License-Identifier: Apache-2.0
// The walk over two trees of values at the same time; as deep as the parser allows.
#include "migrate/compare_json.h"

#include <fmt/format.h>

#include <algorithm>

#include "migrate/json_value.h"

namespace protean::migrate {
namespace {

using Kind = JsonValue::Kind;

std::string summary(const JsonValue& value) {
  if (value.kind == Kind::kArray) return fmt::format("array of {}", value.items.size());
  if (value.kind == Kind::kObject) return fmt::format("object with {} members", value.items.size());
  return std::string(value.token);
}

class Walk {
 public:
  Walk(Comparison& out, double tolerance) : out_(out), tolerance_(tolerance) {}

  /// True when the members of some object came in another order, which is nobody's promise.
  [[nodiscard]] bool reordered() const noexcept { return reordered_; }

  void compare(const Path& path, const JsonValue& from, const JsonValue& to) {
    if (from.kind != to.kind) {
      return out_.differ(DifferenceKind::kType, path, fmt::format("{} ({})", summary(from), json_kind_name(from.kind)),
                         fmt::format("{} ({})", summary(to), json_kind_name(to.kind)));
    }
    switch (from.kind) {
      case Kind::kNull: return;
      case Kind::kBool:
        if (from.token != to.token) out_.differ(DifferenceKind::kValue, path, from.token, to.token);
        return;
      case Kind::kNumber: return compare_number(path, from.token, to.token);
      case Kind::kString: return compare_string(path, from.token, to.token);
      case Kind::kArray: return compare_array(path, from, to);
      case Kind::kObject: return compare_object(path, from, to);
    }
  }

 private:
  void compare_number(const Path& path, std::string_view from, std::string_view to) {
    if (from == to) return;
    if (is_integer_token(from) && is_integer_token(to) && from != "-0" && to != "-0") {
      return out_.differ(path.name == "version" ? DifferenceKind::kVersion : DifferenceKind::kValue, path, from, to);
    }
    const double a = json_number(from);
    const double b = json_number(to);
    const bool same = a == b || (a != a && b != b);
    if (same) return out_.differ(DifferenceKind::kFormat, path, from, to);
    compare_numbers(out_, path, a, b, tolerance_);
  }

  void compare_string(const Path& path, std::string_view from, std::string_view to) {
    if (from == to) return;
    const std::string a = decode_json_string(from);
    const std::string b = decode_json_string(to);
    if (a == b) return out_.differ(DifferenceKind::kFormat, path, from, to);
    const bool text = path.name == "error" || path.name == "error_message";
    const bool version = path.name == "version";
    out_.differ(text ? DifferenceKind::kText : version ? DifferenceKind::kVersion : DifferenceKind::kValue, path, a, b);
  }

  void compare_array(const Path& path, const JsonValue& from, const JsonValue& to) {
    if (from.items.size() != to.items.size()) {
      out_.differ(DifferenceKind::kShape, path, summary(from), summary(to));
    }
    const std::size_t common = std::min(from.items.size(), to.items.size());
    for (std::size_t i = 0; i < common; ++i) compare(path.element(i), from.items[i], to.items[i]);
  }

  void compare_object(const Path& path, const JsonValue& from, const JsonValue& to) {
    reordered_ = reordered_ || from.names != to.names;
    for (std::size_t i = 0; i < from.names.size(); ++i) {
      const Path member = path.member(from.names[i]);
      if (const JsonValue* there = to.find(from.names[i])) {
        compare(member, from.items[i], *there);
      } else {
        out_.differ(DifferenceKind::kMissing, member, summary(from.items[i]), "");
      }
    }
    for (std::size_t i = 0; i < to.names.size(); ++i) {
      if (from.find(to.names[i]) != nullptr) continue;
      out_.differ(DifferenceKind::kExtra, path.member(to.names[i]), "", summary(to.items[i]));
    }
  }

  Comparison& out_;
  const double tolerance_;
  bool reordered_ = false;
};

}  // namespace

void compare_json(Comparison& out, const Path& path, std::string_view from, std::string_view to, double tolerance) {
  if (from == to) return;
  const auto a = parse_json(from);
  const auto b = parse_json(to);
  if (!a || !b) {
    const std::string from_says = a ? "JSON: " + std::string(from) : a.error().message + ": " + shown(from);
    const std::string to_says = b ? "JSON: " + std::string(to) : b.error().message + ": " + shown(to);
    return out.differ(DifferenceKind::kUnreadable, path, from_says, to_says);
  }
  Walk walk(out, tolerance);
  walk.compare(path, *a, *b);
  if (out.verdict() == Verdict::kEqual && !walk.reordered()) {
    const auto place = std::mismatch(from.begin(), from.end(), to.begin(), to.end()).first - from.begin();
    const auto begin = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, place - 10));
    out.differ(DifferenceKind::kFormat, path, from.substr(std::min(begin, from.size()), 40),
               to.substr(std::min(begin, to.size()), 40));
  }
}

}  // namespace protean::migrate
