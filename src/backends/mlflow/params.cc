// SPDX-License-Identifier: Apache-2.0
// Values are told apart by the type they came with; only inside lists by how they are written.
#include "backends/mlflow/params.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <variant>

#include "backends/mlflow/yaml_tree.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kShownBytesMax = 64;

enum class ValueKind : unsigned char { kBool, kInteger, kReal, kText, kNull, kOther };

/// `json`: the value as JSON.  `text`: of kText what it says.
struct Value {
  ValueKind kind = ValueKind::kOther;
  std::string json;
  std::string text;
};

std::string quoted(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json;
}

/// JSON has no NaN and no infinities, but Python's reader of it has.
std::string real_json(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  auto text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

struct Reader {
  Value operator()(bool value) const { return {ValueKind::kBool, value ? "true" : "false", {}}; }
  Value operator()(std::int64_t value) const { return {ValueKind::kInteger, std::to_string(value), {}}; }
  Value operator()(std::uint64_t value) const { return {ValueKind::kInteger, std::to_string(value), {}}; }
  Value operator()(double value) const { return {ValueKind::kReal, real_json(value), {}}; }
  Value operator()(const std::string& value) const { return {ValueKind::kText, quoted(value), value}; }
};

Value read_item(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kScalar) return {};
  if (node.quoted) return {ValueKind::kText, quoted(node.text), node.text};
  if (node.is_null()) return {ValueKind::kNull, "null", {}};
  if (node.text == "true" || node.text == "false") return {ValueKind::kBool, node.text, {}};
  double number = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [at, error] = std::from_chars(node.text.data(), end, number);
  if (error != std::errc() || at != end || !std::isfinite(number)) return {};
  const bool whole = node.text.find_first_of(".eE") == std::string::npos;
  return {whole ? ValueKind::kInteger : ValueKind::kReal, node.text, {}};
}

/// The next `digits` digits of `text`, which are taken away; -1 when they are not there.
int take_digits(std::string_view& text, std::size_t digits) {
  int number = -1;
  if (text.size() < digits) return -1;
  const auto [at, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error != std::errc() || at != text.data() + digits) return -1;
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// ISO 8601 as numpy.datetime64 reads it: from the year on, as far as it is given.
bool is_datetime(std::string_view text) {
  const int year = take_digits(text, 4);
  if (year < 0 || text.empty()) return year >= 0;
  const int month = take(text, '-') ? take_digits(text, 2) : -1;
  if (month < 1 || month > 12) return false;
  if (text.empty()) return true;
  const int day = take(text, '-') ? take_digits(text, 2) : -1;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(std::max(day, 0)))};
  if (!date.ok()) return false;
  if (text.empty()) return true;
  if (!take(text, 'T') && !take(text, ' ')) return false;
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23) return false;
  for (int part = 0; part < 2 && take(text, ':'); ++part) {
    const int number = take_digits(text, 2);
    if (number < 0 || number > 59) return false;
  }
  if (take(text, '.')) {
    const auto digits = text.find_first_not_of("0123456789");
    if (text.empty() || digits == 0 || text.size() > 18) return false;
    text.remove_prefix(digits == std::string_view::npos ? text.size() : digits);
  }
  return text.empty();
}

/// The value as JSON, converted where MLflow converts; nullopt when it is of another type.
std::optional<std::string> converted(const Value& value, std::string_view type) {
  if (value.kind == ValueKind::kNull) return value.json;
  if (type == "boolean") return value.kind == ValueKind::kBool ? std::optional(value.json) : std::nullopt;
  if (type == "integer" || type == "long") {
    return value.kind == ValueKind::kInteger ? std::optional(value.json) : std::nullopt;
  }
  if (type == "float" || type == "double") {
    if (value.kind == ValueKind::kReal) return value.json;
    return value.kind == ValueKind::kInteger ? std::optional(value.json + ".0") : std::nullopt;
  }
  if (type == "datetime") {
    const bool fits = value.kind == ValueKind::kText && is_datetime(value.text);
    return fits ? std::optional(value.json) : std::nullopt;
  }
  return type == "string" && value.kind == ValueKind::kText ? std::optional(value.json) : std::nullopt;
}

std::string expected(const SchemaParam& spec) {
  if (spec.list) return fmt::format("the text of a JSON list of {}", printable(spec.type));
  return spec.type == "object" ? "the text of a JSON object" : printable(spec.type);
}

std::optional<std::string> resolve_list(const SchemaParam& spec, const std::string& text) {
  const auto list = parse_json_as_yaml(text);
  if (!list || list->kind != YamlNode::Kind::kList) return std::nullopt;
  std::string json;
  for (const auto& item : list->items) {
    const auto one = converted(read_item(item), spec.type);
    if (!one) return std::nullopt;
    json += (json.empty() ? "" : ",") + *one;
  }
  return "[" + json + "]";
}

std::optional<std::string> resolve_one(const SchemaParam& spec, const Parameter& given) {
  const auto* text = std::get_if<std::string>(&given);
  if (spec.list) return text == nullptr ? std::nullopt : resolve_list(spec, *text);
  if (spec.type == "object") {  // what is in it the model's own MLflow enforces
    const auto object = text == nullptr ? Result<YamlNode>(YamlNode{}) : parse_json_as_yaml(*text);
    return object && object->kind == YamlNode::Kind::kMap ? std::optional(*text) : std::nullopt;
  }
  return converted(std::visit(Reader{}, given), spec.type);
}

}  // namespace

Result<std::string> resolve_params(std::span<const SchemaParam> specs, const Parameters& given) {
  std::string json;
  std::string wrong;
  for (const auto& spec : specs) {
    const Parameter* value = find_parameter(given, spec.name);
    const auto resolved = value == nullptr ? std::optional(spec.default_value) : resolve_one(spec, *value);
    if (!resolved) {
      wrong += fmt::format("{}parameter '{}': found {}, expected {}", wrong.empty() ? "" : "; ", printable(spec.name),
                           printable(std::visit(Reader{}, *value).json, kShownBytesMax), expected(spec));
      continue;
    }
    json += json.empty() ? "" : ",";
    append_json_string(json, spec.name);
    json += ":" + *resolved;
  }
  if (!wrong.empty()) return fail(Code::kInvalidArgument, std::move(wrong));
  return "{" + json + "}";
}

}  // namespace protean
