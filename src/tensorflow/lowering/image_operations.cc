// SPDX-License-Identifier: Apache-2.0
// Images of other sizes.
#include <algorithm>
#include <array>
#include <cmath>

#include "tensorflow/lowering/operation.h"
#include "tensorflow/lowering/window.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr std::int64_t kCubicSteps = 1024;
constexpr std::int64_t kCubicSizeMax = 2048;

/// Weight of a pixel at distance `step` / 1024, from [0, 1] (`far` false) or [1, 2], of Keys' kernel.
float cubic_weight(std::int64_t step, bool far, double a) {
  const double x = static_cast<double>(step) / static_cast<double>(kCubicSteps) + (far ? 1.0 : 0.0);
  const double weight = far ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : ((a + 2) * x - (a + 3)) * x * x + 1;
  return static_cast<float>(weight);
}

/// [out, in]: how much of each pixel of a line is in each of the resized one. Distances are rounded to 1/1024 as
/// TensorFlow's table of weights does. Source: tensorflow/core/kernels/image/resize_bicubic_op.cc.
Value cubic_matrix(std::int64_t in, std::int64_t out, bool centred, bool aligned) {
  const float scale = aligned && out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                                         : static_cast<float>(in) / static_cast<float>(out);
  const double a = centred ? -0.5 : -0.75;
  std::vector<float> matrix(static_cast<std::size_t>(in * out), 0);
  for (std::int64_t row = 0; row < out; ++row) {
    const auto at = static_cast<float>(row);
    const float place = centred ? (at + 0.5F) * scale - 0.5F : at * scale;
    const float floor = std::floor(place);
    const auto step = static_cast<std::int64_t>(std::lrintf((place - floor) * static_cast<float>(kCubicSteps)));
    std::array<float, 4> weights{cubic_weight(step, true, a), cubic_weight(step, false, a),
                                 cubic_weight(kCubicSteps - step, false, a), cubic_weight(kCubicSteps - step, true, a)};
    float sum = 0;
    for (std::int64_t i = 0; i < 4; ++i) {
      const auto column = static_cast<std::int64_t>(floor) - 1 + i;
      // With centred pixels those outside count for nothing, else the edge is repeated.
      if (centred && (column < 0 || column >= in)) weights[static_cast<std::size_t>(i)] = 0;
      sum += weights[static_cast<std::size_t>(i)];
    }
    for (std::int64_t i = 0; i < 4; ++i) {
      const auto column = std::clamp<std::int64_t>(static_cast<std::int64_t>(floor) - 1 + i, 0, in - 1);
      const float share = centred && std::fabs(sum) > 1e-35F ? weights[static_cast<std::size_t>(i)] / sum
                                                             : weights[static_cast<std::size_t>(i)];
      matrix[static_cast<std::size_t>(row * in + column)] += share;
    }
  }
  Literal literal{tf::DT_FLOAT, {out, in}, {}, {}};
  literal.bytes.assign(reinterpret_cast<const char*>(matrix.data()), matrix.size() * sizeof(float));
  return Value::of(std::make_shared<const Literal>(std::move(literal)));
}

/// By products with two constant matrices: ONNX's Resize weighs more finely than TensorFlow, and so differs.
LoweredValues lower_cubic(Operation& op) {
  auto& build = op.build();
  const auto size = op.in(1).known_ints();
  const auto height = op.in(0).dims.size(1);
  const auto width = op.in(0).dims.size(2);
  const auto fits = [](std::int64_t n) { return n >= 1 && n <= kCubicSizeMax; };
  if (!size || size->size() != 2 || !fits(height) || !fits(width) || !fits((*size)[0]) || !fits((*size)[1])) {
    return does_not_lower("of images whose size is free or above 2048");
  }
  const bool centred = op.flag("half_pixel_centers");
  const bool aligned = op.flag("align_corners");
  const auto x = build.cast(op.in(0), tf::DT_FLOAT);
  const auto batch = build.dim(x, 0);
  const auto channels = build.dim(x, 3);
  const auto constant = [](std::int64_t n) { return Build::integers({n}); };
  const auto lines = build.reshape(x, build.concat({batch, constant(height), build.mul(constant(width), channels)}, 0));
  const auto tall = build.matmul(cubic_matrix(height, (*size)[0], centred, aligned), lines);
  const auto rows = build.mul(batch, constant((*size)[0]));
  const auto columns = build.reshape(tall, build.concat({rows, constant(width), channels}, 0));
  const auto wide = build.matmul(cubic_matrix(width, (*size)[1], centred, aligned), columns);
  return one(build.reshape(wide, build.concat({batch, Build::integers(*size), channels}, 0)));
}

LoweredValues lower_resize(Operation& op) {
  auto& build = op.build();
  const bool nearest = op.type() == "ResizeNearestNeighbor";
  const bool centred = op.flag("half_pixel_centers");
  const bool aligned = op.flag("align_corners");
  const Window window;
  const auto x = to_channels_first(build, build.cast(op.in(0), tf::DT_FLOAT), window, 4);
  const std::string place = aligned ? "align_corners" : centred ? "half_pixel" : "asymmetric";
  OnnxAttributes attributes{{"coordinate_transformation_mode", place},
                            {"mode", std::string(nearest ? "nearest" : "linear")}};
  if (nearest) attributes.push_back({"nearest_mode", std::string(aligned || centred ? "round_prefer_ceil" : "floor")});
  const auto size = build.as_int64(op.in(1));
  const auto sizes = build.concat({build.dim(x, 0), build.dim(x, 1), size}, 0);
  Dims dims = Dims::of({x.dims.size(0), x.dims.size(1), -1, -1});
  if (const auto known = size.known_ints(); known && known->size() == 2) {
    dims.sizes[2] = (*known)[0];
    dims.sizes[3] = (*known)[1];
  }
  const auto resized =
      build.op("Resize", {x, Build::absent(), Build::absent(), sizes}, tf::DT_FLOAT, dims, std::move(attributes));
  const auto y = from_channels_first(build, resized, window, 4);
  // Only the nearest neighbour keeps the type.
  return one(nearest ? build.cast(y, op.in(0).dtype) : y);
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"ResizeBicubic", lower_cubic, "of images of a fixed size"},
    {"ResizeBilinear", lower_resize},
    {"ResizeNearestNeighbor", lower_resize},
});

}  // namespace

OperationGroup image_operations() { return {"Images", kOperations}; }

}  // namespace protean
