// SPDX-License-Identifier: Apache-2.0
// Comparisons and logic. Strings are compared with a constant only: by a table that holds it.
#include <array>
#include <string_view>

#include "tensorflow/lowering/operation.h"

namespace protean {
namespace {

namespace tf = tensorflow;

LoweredValues equal_strings(Operation& op, bool negated) {
  auto& build = op.build();
  const bool second = op.in(1).constant() && op.in(1).literal->elements() == 1;
  const bool first = op.in(0).constant() && op.in(0).literal->elements() == 1;
  if (!first && !second) return does_not_lower("of strings, neither of them one constant");
  const auto& text = op.in(second ? 1 : 0).literal->strings.front();
  const auto& other = op.in(second ? 0 : 1);
  const std::int64_t found = negated ? 0 : 1;
  const OnnxOperation encoder{"LabelEncoder",
                              {{"keys_strings", std::vector<std::string>{text}},
                               {"values_int64s", std::vector<std::int64_t>{found}},
                               {"default_int64", 1 - found}},
                              "ai.onnx.ml"};
  const auto codes = build.emitter().emit(encoder, {other}, {{tf::DT_INT64, other.dims}}).front();
  return one(build.cast(codes, tf::DT_BOOL));
}

LoweredValues lower_equal(Operation& op) {
  const bool negated = op.type() == "NotEqual";
  if (op.in(0).dtype == tf::DT_STRING) return equal_strings(op, negated);
  auto equal = op.build().compare("Equal", op.in(0), op.in(1));
  return one(negated ? op.build().unary("Not", equal) : equal);
}

LoweredValues lower_order(Operation& op) {
  const std::string type = op.type() == "LessEqual"      ? "LessOrEqual"
                           : op.type() == "GreaterEqual" ? "GreaterOrEqual"
                                                         : op.type();
  return one(op.build().compare(type, op.in(0), op.in(1)));
}

LoweredValues lower_logic(Operation& op) {
  const std::string type = op.type() == "LogicalAnd" ? "And" : "Or";
  return one(op.build().compare(type, op.in(0), op.in(1)));
}

LoweredValues lower_not(Operation& op) {
  if (const auto known = op.in(0).known_int(); known && op.in(0).dims.scalar()) {
    return one(Build::integer(*known == 0 ? 1 : 0, tf::DT_BOOL));
  }
  return one(op.build().unary("Not", op.in(0)));
}

LoweredValues lower_is(Operation& op) {
  auto& build = op.build();
  const auto& x = op.in(0);
  const auto test = [&](const char* type) { return build.op(type, {x}, tf::DT_BOOL, x.dims); };
  if (op.type() == "IsNan") return one(test("IsNaN"));
  if (op.type() == "IsInf") return one(test("IsInf"));
  return one(build.unary("Not", build.op("Or", {test("IsNaN"), test("IsInf")}, tf::DT_BOOL, x.dims)));
}

LoweredValues lower_approximate(Operation& op) {
  auto& build = op.build();
  const auto distance = build.unary("Abs", build.sub(op.in(0), op.in(1)));
  return one(build.compare("Less", distance, Build::number(distance.dtype, op.number("tolerance", 1e-5F))));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"ApproximateEqual", lower_approximate},
    {"Equal", lower_equal, "strings with one constant only"},
    {"Greater", lower_order},
    {"GreaterEqual", lower_order},
    {"IsFinite", lower_is},
    {"IsInf", lower_is},
    {"IsNan", lower_is},
    {"Less", lower_order},
    {"LessEqual", lower_order},
    {"LogicalAnd", lower_logic},
    {"LogicalNot", lower_not},
    {"LogicalOr", lower_logic},
    {"NotEqual", lower_equal, "strings with one constant only"},
});

}  // namespace

OperationGroup comparison_operations() { return {"Comparison and logic", kOperations}; }

}  // namespace protean
