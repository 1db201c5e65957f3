// SPDX-License-Identifier: Apache-2.0
// Operations on each element alone: most are one of ONNX under another name.
#include <algorithm>
#include <array>
#include <string_view>

#include "tensorflow/lowering/operation.h"

namespace protean {
namespace {

namespace tf = tensorflow;

struct Renamed {
  std::string_view tensorflow;
  const char* onnx;
  bool single_only = false;  // runtimes compute it for 32-bit floats only
};

constexpr std::array kUnary = std::to_array<Renamed>({
    {"Abs", "Abs"},
    {"Neg", "Neg"},
    {"Exp", "Exp"},
    {"Log", "Log"},
    {"Sqrt", "Sqrt"},
    {"Floor", "Floor"},
    {"Ceil", "Ceil"},
    {"Sign", "Sign"},
    {"Sin", "Sin"},
    {"Cos", "Cos"},
    {"Tan", "Tan", true},
    {"Asin", "Asin", true},
    {"Acos", "Acos", true},
    {"Atan", "Atan", true},
    {"Sinh", "Sinh", true},
    {"Cosh", "Cosh", true},
    {"Asinh", "Asinh", true},
    {"Acosh", "Acosh", true},
    {"Atanh", "Atanh", true},
    {"Sigmoid", "Sigmoid"},
    {"Tanh", "Tanh"},
    {"Elu", "Elu", true},
    {"Selu", "Selu", true},
    {"Softplus", "Softplus", true},
    {"Softsign", "Softsign", true},
    {"Erf", "Erf", true},
    {"Rint", "Round"},
    {"Round", "Round"},
    {"Reciprocal", "Reciprocal"},
    {"Inv", "Reciprocal"},
});

constexpr std::array kBinary = std::to_array<Renamed>({
    {"Add", "Add"},
    {"AddV2", "Add"},
    {"Sub", "Sub"},
    {"Mul", "Mul"},
    {"RealDiv", "Div"},
    {"Div", "Div"},
    {"TruncateDiv", "Div"},
    {"Maximum", "Max"},
    {"Minimum", "Min"},
    {"Pow", "Pow"},
});

template <typename Table>
const Renamed& entry_of(const Table& table, const std::string& type) {
  return *std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.tensorflow == type; });
}

/// `compute` over 32-bit floats, whatever the type is.
template <typename Compute>
Value in_single(Build& build, const Value& value, Compute compute) {
  return build.cast(compute(build.cast(value, tf::DT_FLOAT)), value.dtype);
}

LoweredValues lower_unary(Operation& op) {
  const auto& entry = entry_of(kUnary, op.type());
  auto& build = op.build();
  const auto& x = op.in(0);
  if (is_integer(x.dtype) &&
      (op.type() == "Round" || op.type() == "Floor" || op.type() == "Ceil" || op.type() == "Rint"))
    return one(x);
  if (is_narrow(x.dtype)) return one(build.cast(build.unary(entry.onnx, build.cast(x, tf::DT_INT32)), x.dtype));
  if (!entry.single_only || x.dtype == tf::DT_FLOAT) return one(build.unary(entry.onnx, x));
  return one(in_single(build, x, [&](const Value& single) { return build.unary(entry.onnx, single); }));
}

LoweredValues lower_binary(Operation& op) {
  if (op.in(0).dtype == tf::DT_STRING) return does_not_lower("of strings");
  return one(op.build().binary(entry_of(kBinary, op.type()).onnx, op.in(0), op.in(1)));
}

LoweredValues lower_floor_div(Operation& op) { return one(op.build().floor_div(op.in(0), op.in(1))); }
LoweredValues lower_floor_mod(Operation& op) { return one(op.build().floor_mod(op.in(0), op.in(1))); }

LoweredValues lower_truncate_mod(Operation& op) {
  return one(op.build().op("Mod", {op.in(0), op.in(1)}, op.in(0).dtype, broadcast(op.in(0).dims, op.in(1).dims),
                           {{"fmod", std::int64_t{1}}}));
}

LoweredValues lower_square(Operation& op) { return one(op.build().mul(op.in(0), op.in(0))); }

LoweredValues lower_squared_difference(Operation& op) {
  const auto difference = op.build().sub(op.in(0), op.in(1));
  return one(op.build().mul(difference, difference));
}

LoweredValues lower_rsqrt(Operation& op) {
  return one(op.build().unary("Reciprocal", op.build().unary("Sqrt", op.in(0))));
}

LoweredValues lower_relu(Operation& op) {
  auto& build = op.build();
  const auto& x = op.in(0);
  if (is_integer(x.dtype)) return one(build.binary("Max", x, Build::number(x.dtype, 0)));
  return one(build.unary("Relu", x));
}

LoweredValues lower_relu6(Operation& op) {
  auto& build = op.build();
  const auto& x = op.in(0);
  return one(build.binary("Min", build.binary("Max", x, Build::number(x.dtype, 0)), Build::number(x.dtype, 6)));
}

LoweredValues lower_leaky_relu(Operation& op) {
  auto& build = op.build();
  const OnnxAttributes attributes{{"alpha", op.number("alpha", 0.2F)}};
  return one(in_single(build, op.in(0), [&](const Value& x) { return build.unary("LeakyRelu", x, attributes); }));
}

LoweredValues lower_expm1(Operation& op) {
  auto& build = op.build();
  // Not exp(x) - 1, which loses what is small: tanh(x/2) (exp(x) + 1) is the same.
  const auto& x = op.in(0);
  const auto half = build.unary("Tanh", build.mul(x, Build::number(x.dtype, 0.5)));
  return one(build.mul(half, build.add(build.unary("Exp", x), Build::number(x.dtype, 1))));
}

LoweredValues lower_log1p(Operation& op) {
  auto& build = op.build();
  return one(build.unary("Log", build.add(op.in(0), Build::number(op.in(0).dtype, 1))));
}

LoweredValues lower_erfc(Operation& op) {
  auto& build = op.build();
  return one(in_single(build, op.in(0), [&](const Value& x) {
    return build.sub(Build::number(tf::DT_FLOAT, 1), build.unary("Erf", x));
  }));
}

LoweredValues lower_likes(Operation& op) {
  const auto& x = op.in(0);
  if (x.dtype == tf::DT_STRING) return does_not_lower("of strings");
  auto& build = op.build();
  return one(build.expand(Build::number(x.dtype, op.type() == "OnesLike" ? 1 : 0), build.shape(x)));
}

/// x op y, but zero where y (DivNoNan, MulNoNan) or x (Xdivy, Xlogy) is zero.
LoweredValues lower_guarded(Operation& op) {
  auto& build = op.build();
  const auto& x = op.in(0);
  const auto& y = op.in(1);
  const auto zero = Build::number(x.dtype, 0);
  const bool by_x = op.type() == "Xdivy" || op.type() == "Xlogy" || op.type() == "Xlog1py";
  const auto guard = build.compare("Equal", by_x ? x : y, zero);
  Value result;
  if (op.type() == "DivNoNan" || op.type() == "Xdivy") {
    result = build.div(x, y);
  } else if (op.type() == "MulNoNan") {
    result = build.mul(x, y);
  } else {
    const auto shifted = op.type() == "Xlog1py" ? build.add(y, Build::number(y.dtype, 1)) : y;
    result = build.mul(x, build.unary("Log", shifted));
  }
  return one(build.where(guard, zero, result));
}

LoweredValues lower_softmax(Operation& op) {
  return one(
      op.build().unary(op.type() == "Softmax" ? "Softmax" : "LogSoftmax", op.in(0), {{"axis", std::int64_t{-1}}}));
}

LoweredValues lower_bias_add(Operation& op) {
  auto& build = op.build();
  auto bias = op.in(1);
  if (op.text("data_format", "NHWC") != "NHWC") {
    TRY(const auto rank, op.rank(0));
    std::vector<std::int64_t> axes;
    for (std::size_t i = 2; i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i) - 1);
    if (!axes.empty()) bias = build.unsqueeze(bias, axes);
  }
  auto sum = build.add(op.in(0), bias);
  // The bias never adds dimensions.
  if (op.in(0).dims.ranked) sum.dims = merged(op.in(0).dims, sum.dims);
  return one(sum);
}

LoweredValues lower_add_n(Operation& op) {
  auto sum = op.in(0);
  for (std::size_t i = 1; i < op.count(); ++i) sum = op.build().add(sum, op.in(i));
  return one(sum);
}

LoweredValues lower_clip(Operation& op) {
  auto& build = op.build();
  return one(build.binary("Min", build.binary("Max", op.in(0), op.in(1)), op.in(2)));
}

LoweredValues lower_cast(Operation& op) {
  const auto to = op.dtype("DstT", tf::DT_INVALID);
  if (onnx_type(to) == 0 || onnx_type(op.in(0).dtype) == 0) {
    return does_not_lower("from " + dtype_name(op.in(0).dtype) + " to " + dtype_name(to));
  }
  return one(op.build().cast(op.in(0), to));
}

LoweredValues lower_atan2(Operation& op) {
  auto& build = op.build();
  const auto& y = op.in(0);
  const auto& x = op.in(1);
  if (y.dtype != tf::DT_FLOAT) return does_not_lower("of " + dtype_name(y.dtype));
  const auto zero = Build::number(y.dtype, 0);
  constexpr double kPi = 3.14159265358979323846;
  const auto angle = build.unary("Atan", build.div(y, x));
  const auto shift =
      build.where(build.compare("Less", y, zero), Build::number(y.dtype, -kPi), Build::number(y.dtype, kPi));
  auto result = build.where(build.compare("Less", x, zero), build.add(angle, shift), angle);
  const auto both =
      build.op("And", {build.compare("Equal", x, zero), build.compare("Equal", y, zero)}, tf::DT_BOOL, result.dims);
  return one(build.where(both, zero, result));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"Abs", lower_unary},
    {"Acos", lower_unary},
    {"Acosh", lower_unary},
    {"Add", lower_binary, "not of strings"},
    {"AddN", lower_add_n},
    {"AddV2", lower_binary, "not of strings"},
    {"Asin", lower_unary},
    {"Asinh", lower_unary},
    {"Atan", lower_unary},
    {"Atan2", lower_atan2, "of float32"},
    {"Atanh", lower_unary},
    {"BiasAdd", lower_bias_add},
    {"Cast", lower_cast, "not of complex and quantised types"},
    {"Ceil", lower_unary},
    {"ClipByValue", lower_clip},
    {"Cos", lower_unary},
    {"Cosh", lower_unary},
    {"Div", lower_binary},
    {"DivNoNan", lower_guarded},
    {"Elu", lower_unary},
    {"Erf", lower_unary},
    {"Erfc", lower_erfc},
    {"Exp", lower_unary},
    {"Expm1", lower_expm1},
    {"Floor", lower_unary},
    {"FloorDiv", lower_floor_div},
    {"FloorMod", lower_floor_mod},
    {"Inv", lower_unary},
    {"LeakyRelu", lower_leaky_relu},
    {"Log", lower_unary},
    {"Log1p", lower_log1p},
    {"LogSoftmax", lower_softmax},
    {"Maximum", lower_binary},
    {"Minimum", lower_binary},
    {"Mod", lower_truncate_mod},
    {"Mul", lower_binary},
    {"MulNoNan", lower_guarded},
    {"Neg", lower_unary},
    {"OnesLike", lower_likes},
    {"Pow", lower_binary},
    {"RealDiv", lower_binary},
    {"Reciprocal", lower_unary},
    {"Relu", lower_relu},
    {"Relu6", lower_relu6},
    {"Rint", lower_unary},
    {"Round", lower_unary},
    {"Rsqrt", lower_rsqrt},
    {"Selu", lower_unary},
    {"Sigmoid", lower_unary},
    {"Sign", lower_unary},
    {"Sin", lower_unary},
    {"Sinh", lower_unary},
    {"Softmax", lower_softmax},
    {"Softplus", lower_unary},
    {"Softsign", lower_unary},
    {"Sqrt", lower_unary},
    {"Square", lower_square},
    {"SquaredDifference", lower_squared_difference},
    {"Sub", lower_binary},
    {"Tan", lower_unary},
    {"Tanh", lower_unary},
    {"TruncateDiv", lower_binary},
    {"TruncateMod", lower_truncate_mod},
    {"Xdivy", lower_guarded},
    {"Xlog1py", lower_guarded},
    {"Xlogy", lower_guarded},
    {"ZerosLike", lower_likes, "not of strings"},
});

}  // namespace

OperationGroup elementwise_operations() { return {"Arithmetic and activations", kOperations}; }

}  // namespace protean
