// SPDX-License-Identifier: Apache-2.0
// Images of other sizes.
#include <array>

#include "tensorflow/lowering/operation.h"
#include "tensorflow/lowering/window.h"

namespace protean {
namespace {

namespace tf = tensorflow;

LoweredValues lower_resize(Operation& op) {
  auto& build = op.build();
  const bool nearest = op.type() == "ResizeNearestNeighbor";
  const bool cubic = op.type() == "ResizeBicubic";
  const bool centred = op.flag("half_pixel_centers");
  const bool aligned = op.flag("align_corners");
  const Window window;
  const auto x = to_channels_first(build, build.cast(op.in(0), tf::DT_FLOAT), window, 4);
  const std::string place = aligned ? "align_corners" : centred ? "half_pixel" : "asymmetric";
  OnnxAttributes attributes{{"coordinate_transformation_mode", place},
                            {"mode", std::string(nearest ? "nearest"
                                                 : cubic ? "cubic"
                                                         : "linear")}};
  if (nearest) attributes.push_back({"nearest_mode", std::string(aligned || centred ? "round_prefer_ceil" : "floor")});
  if (cubic) {
    attributes.push_back({"cubic_coeff_a", centred ? -0.5F : -0.75F});
    attributes.push_back({"exclude_outside", std::int64_t{centred ? 1 : 0}});
  }
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
    {"ResizeBicubic", lower_resize},
    {"ResizeBilinear", lower_resize},
    {"ResizeNearestNeighbor", lower_resize},
});

}  // namespace

OperationGroup image_operations() { return {"Images", kOperations}; }

}  // namespace protean
