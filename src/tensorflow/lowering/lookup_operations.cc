// SPDX-License-Identifier: Apache-2.0
// Lookup tables become LabelEncoder of ONNX-ML; conversions of strings become casts.
#include <array>

#include "tensorflow/lowering/lowering.h"
#include "tensorflow/lowering/operation.h"

namespace protean {
namespace {

namespace tf = tensorflow;

enum class Kind { kString, kInteger, kFloat };

std::optional<Kind> kind_of(DType dtype) {
  if (dtype == tf::DT_STRING) return Kind::kString;
  if (dtype == tf::DT_INT32 || dtype == tf::DT_INT64 || dtype == tf::DT_BOOL) return Kind::kInteger;
  if (dtype == tf::DT_FLOAT || dtype == tf::DT_DOUBLE) return Kind::kFloat;
  return std::nullopt;
}

DType type_of(Kind kind) {
  return kind == Kind::kString ? tf::DT_STRING : kind == Kind::kInteger ? tf::DT_INT64 : tf::DT_FLOAT;
}

OnnxAttribute list_attribute(const std::string& prefix, const Literal& literal, Kind kind) {
  const auto count = literal.elements();
  if (kind == Kind::kString) return {prefix + "_strings", literal.strings};
  if (kind == Kind::kInteger) {
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(integer_at(literal, i).value_or(0));
    return {prefix + "_int64s", std::move(values)};
  }
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<float>(number_at(literal, i).value_or(0)));
  return {prefix + "_floats", std::move(values)};
}

OnnxAttribute default_attribute(const Literal& literal, Kind kind) {
  if (kind == Kind::kString) return {"default_string", literal.strings.front()};
  if (kind == Kind::kInteger) return {"default_int64", integer_at(literal, 0).value_or(0)};
  return {"default_float", static_cast<float>(number_at(literal, 0).value_or(0))};
}

LoweredValues lower_find(Operation& op) {
  auto& build = op.build();
  if (op.in(0).resource == nullptr) return does_not_lower("a table that is not known");
  const auto& fallback = op.in(2);
  auto otherwise = fallback.literal;
  if (const auto known = fallback.known_int(); otherwise == nullptr && known) {
    otherwise = std::make_shared<const Literal>(integer_literal(tf::DT_INT64, {}, {*known}));
  }
  if (otherwise == nullptr || otherwise->elements() != 1) return does_not_lower("a default value that is not constant");
  TRY(const auto table, op.lowering().state().table(*op.in(0).resource));
  const auto from = kind_of(op.in(1).dtype);
  const auto to = kind_of(table->values.dtype);
  const bool matched = from && kind_of(table->keys.dtype) == from;
  if (!matched || !to || *from == Kind::kFloat) {
    return does_not_lower("from " + dtype_name(op.in(1).dtype) + " to " + dtype_name(table->values.dtype));
  }
  if (table->keys.elements() == 0) {
    return one(build.expand(Value::of(otherwise), build.shape(op.in(1))));
  }
  const OnnxOperation encoder{"LabelEncoder",
                              {list_attribute("keys", table->keys, *from), list_attribute("values", table->values, *to),
                               default_attribute(*otherwise, *to)},
                              "ai.onnx.ml"};
  const auto keys = build.cast(op.in(1), type_of(*from));
  const auto found = build.emitter().emit(encoder, {keys}, {{type_of(*to), keys.dims}}).front();
  return one(build.cast(found, table->values.dtype));
}

LoweredValues lower_size(Operation& op) {
  if (op.in(0).resource == nullptr) return does_not_lower("a table that is not known");
  TRY(const auto table, op.lowering().state().table(*op.in(0).resource));
  return one(Build::integer(static_cast<std::int64_t>(table->keys.elements())));
}

LoweredValues lower_to_number(Operation& op) {
  const auto to = op.dtype("out_type", tf::DT_FLOAT);
  return one(op.build().op("Cast", {op.in(0)}, to, op.in(0).dims, {{"to", std::int64_t{onnx_type(to)}}}));
}

LoweredValues lower_to_string(Operation& op) {
  const bool plain = op.integer("width", -1) == -1 && op.text("fill").empty();
  if (!is_integer(op.in(0).dtype) || !plain) return does_not_lower("of other than plain integers");
  return one(op.build().op("Cast", {op.in(0)}, tf::DT_STRING, op.in(0).dims,
                           {{"to", std::int64_t{onnx_type(tf::DT_STRING)}}}));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"AsString", lower_to_string, "of integers, without width and fill"},
    {"LookupTableFind", lower_find, "from strings or integers, with a constant default", true},
    {"LookupTableFindV2", lower_find, "from strings or integers, with a constant default", true},
    {"LookupTableSize", lower_size, "", true},
    {"LookupTableSizeV2", lower_size, "", true},
    {"StringToNumber", lower_to_number},
});

}  // namespace

OperationGroup lookup_operations() { return {"Lookup tables and strings", kOperations}; }

}  // namespace protean
