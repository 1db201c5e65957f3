// SPDX-License-Identifier: Apache-2.0
// Operations along axes. The axes must be constant, since ONNX has most of them as attributes.
#include <array>

#include "tensorflow/lowering/operation.h"

namespace protean {
namespace {

namespace tf = tensorflow;

std::string reduction_of(const std::string& type) {
  if (type == "Max" || type == "Any") return "ReduceMax";
  if (type == "Min" || type == "All") return "ReduceMin";
  if (type == "Prod") return "ReduceProd";
  if (type == "Mean") return "ReduceMean";
  return type == "EuclideanNorm" ? "ReduceL2" : "ReduceSum";
}

LoweredValues lower_reduction(Operation& op) {
  auto& build = op.build();
  TRY(const auto axes, op.constant(1, "axes"));
  auto x = op.in(0);
  if (axes.empty()) return one(x);
  // The product of a shape, in the middle of arithmetic on shapes.
  if (const auto known = x.known_ints(); known && op.type() == "Prod" && x.dims.rank() == 1) {
    auto product = Build::integer(1, x.dtype);
    for (const auto value : *known) product = build.mul(product, Build::integer(value, x.dtype));
    return one(op.flag("keep_dims") ? build.unsqueeze(product, {0}) : product);
  }
  const bool logical = x.dtype == tf::DT_BOOL;
  if (logical) x = build.cast(x, tf::DT_INT32);
  const auto result = build.reduce(reduction_of(op.type()), x, axes, op.flag("keep_dims"));
  return one(logical ? build.cast(result, tf::DT_BOOL) : result);
}

LoweredValues lower_arg(Operation& op) {
  auto& build = op.build();
  TRY(const auto axis, op.constant(1, "an axis"));
  if (axis.size() != 1) return does_not_lower("an axis that is no scalar");
  auto x = op.in(0);
  if (x.dtype == tf::DT_BOOL || is_narrow(x.dtype)) x = build.cast(x, tf::DT_INT32);
  if (x.dtype == tf::DT_INT64) x = build.cast(x, tf::DT_DOUBLE);
  Dims dims = x.dims;
  const auto at = axis[0] < 0 && dims.ranked ? axis[0] + static_cast<std::int64_t>(dims.rank()) : axis[0];
  if (dims.ranked && at >= 0 && at < static_cast<std::int64_t>(dims.rank())) dims.sizes.erase(dims.sizes.begin() + at);
  const auto index = build.op(op.type() == "ArgMax" ? "ArgMax" : "ArgMin", {x}, tf::DT_INT64, dims,
                              {{"axis", axis[0]}, {"keepdims", std::int64_t{0}}});
  return one(build.cast(index, op.dtype("output_type", tf::DT_INT64)));
}

LoweredValues lower_top_k(Operation& op) {
  auto& build = op.build();
  auto x = op.in(0);
  const auto k =
      op.type() == "TopK" ? Build::integers({op.integer("k")}) : build.reshape_to(build.as_int64(op.in(1)), {1});
  Dims dims = x.dims;
  if (dims.ranked && dims.rank() > 0) dims.sizes.back() = k.known_int().value_or(-1);
  const auto dtype = x.dtype;
  if (is_narrow(dtype) || dtype == tf::DT_BOOL) x = build.cast(x, tf::DT_INT32);
  const OnnxOperation top{
      "TopK", {{"axis", std::int64_t{-1}}, {"sorted", std::int64_t{1}}, {"largest", std::int64_t{1}}}, ""};
  auto values = build.emitter().emit(top, {x, k}, {{x.dtype, dims}, {tf::DT_INT64, dims}});
  values[0] = build.cast(values[0], dtype);
  values[1] = build.cast(values[1], op.dtype("index_type", tf::DT_INT32));
  return values;
}

LoweredValues lower_cumulative(Operation& op) {
  auto& build = op.build();
  auto x = op.in(0);
  const auto dtype = x.dtype;
  if (is_narrow(dtype)) x = build.cast(x, tf::DT_INT32);
  const auto sum = build.op("CumSum", {x, build.reshape_to(build.as_int64(op.in(1)), {})}, x.dtype, x.dims,
                            {{"exclusive", std::int64_t{op.flag("exclusive") ? 1 : 0}},
                             {"reverse", std::int64_t{op.flag("reverse") ? 1 : 0}}});
  return one(build.cast(sum, dtype));
}

LoweredValues lower_l2_loss(Operation& op) {
  auto& build = op.build();
  const auto sum = build.reduce("ReduceSum", build.mul(op.in(0), op.in(0)), std::nullopt, false);
  return one(build.mul(sum, Build::number(sum.dtype, 0.5)));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"All", lower_reduction, "constant axes"},
    {"Any", lower_reduction, "constant axes"},
    {"ArgMax", lower_arg, "a constant axis"},
    {"ArgMin", lower_arg, "a constant axis"},
    {"Cumsum", lower_cumulative},
    {"EuclideanNorm", lower_reduction, "constant axes"},
    {"L2Loss", lower_l2_loss},
    {"Max", lower_reduction, "constant axes"},
    {"Mean", lower_reduction, "constant axes"},
    {"Min", lower_reduction, "constant axes"},
    {"Prod", lower_reduction, "constant axes"},
    {"Sum", lower_reduction, "constant axes"},
    {"TopK", lower_top_k},
    {"TopKV2", lower_top_k},
});

}  // namespace

OperationGroup reduction_operations() { return {"Reduction and order", kOperations}; }

}  // namespace protean
