// SPDX-License-Identifier: Apache-2.0
// Pools and normalisations over channels.
#include <array>

#include "tensorflow/lowering/operation.h"
#include "tensorflow/lowering/window.h"

namespace protean {
namespace {

namespace tf = tensorflow;

LoweredValues lower_pool(Operation& op) {
  auto& build = op.build();
  const std::size_t rank = op.type().find("3D") != std::string::npos ? 5 : 4;
  TRY(auto window, read_window(op, rank));
  auto sizes = op.integers("ksize");
  if (sizes.size() != rank || sizes.front() != 1) return does_not_lower("a window over the batch");
  sizes.erase(window.channels_last ? sizes.end() - 1 : sizes.begin() + 1);
  sizes.erase(sizes.begin());
  for (const auto size : sizes) {
    if (size < 1 || size > (1 << 20)) return fail(Code::kInvalidArgument, "a window of size " + std::to_string(size));
  }
  window.size = sizes;
  const auto x = to_channels_first(build, build.cast(op.in(0), tf::DT_FLOAT), window, rank);
  TRY(auto attributes, window_attributes(window, x));
  attributes.push_back({"kernel_shape", sizes});
  const auto* type = op.type().rfind("Max", 0) == 0 ? "MaxPool" : "AveragePool";
  const auto y = build.op(type, {x}, x.dtype, window_dims(window, x, x.dims.size(1)), std::move(attributes));
  return one(build.cast(from_channels_first(build, y, window, rank), op.in(0).dtype));
}

LoweredValues lower_batch_norm(Operation& op) {
  if (op.flag("is_training", true)) return does_not_lower("as in training");
  auto& build = op.build();
  const auto& x = op.in(0);
  const auto epsilon = Build::number(tf::DT_FLOAT, op.number("epsilon", 1e-4F));
  const auto deviation = build.unary("Sqrt", build.add(op.in(4), epsilon));
  auto scale = build.div(op.in(1), deviation);
  auto shift = build.sub(op.in(2), build.mul(op.in(3), scale));
  const auto format = op.text("data_format", "NHWC");
  if (!format.empty() && format.back() != 'C') {
    const std::vector<std::int64_t> axes =
        format.size() == 5 ? std::vector<std::int64_t>{1, 2, 3} : std::vector<std::int64_t>{1, 2};
    scale = build.unsqueeze(scale, axes);
    shift = build.unsqueeze(shift, axes);
  }
  const auto y = build.add(build.mul(build.cast(x, tf::DT_FLOAT), scale), shift);
  std::vector<Value> values{build.cast(y, x.dtype), op.in(3), op.in(4), op.in(3), op.in(4)};
  return values;
}

LoweredValues lower_local_response(Operation& op) {
  auto& build = op.build();
  const Window window;
  const auto size = 2 * op.integer("depth_radius", 5) + 1;
  const auto x = to_channels_first(build, op.in(0), window, 4);
  const auto y = build.unary("LRN", x,
                             {{"size", size},
                              {"alpha", op.number("alpha", 1) * static_cast<float>(size)},
                              {"beta", op.number("beta", 0.5F)},
                              {"bias", op.number("bias", 1)}});
  return one(from_channels_first(build, y, window, 4));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"AvgPool", lower_pool},
    {"AvgPool3D", lower_pool},
    {"FusedBatchNorm", lower_batch_norm, "not as in training"},
    {"FusedBatchNormV2", lower_batch_norm, "not as in training"},
    {"FusedBatchNormV3", lower_batch_norm, "not as in training"},
    {"LRN", lower_local_response},
    {"MaxPool", lower_pool},
    {"MaxPool3D", lower_pool},
});

}  // namespace

OperationGroup pooling_operations() { return {"Pooling and normalisation", kOperations}; }

}  // namespace protean
