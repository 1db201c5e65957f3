// SPDX-License-Identifier: Apache-2.0
// Convolutions. ONNX has the channels second and the filter's outputs first; the transpositions around are taken out by
// the runtime where they meet.
#include <algorithm>
#include <array>
#include <numeric>

#include "tensorflow/lowering/operation.h"
#include "tensorflow/lowering/window.h"

namespace protean {
namespace {

namespace tf = tensorflow;

/// In 32-bit floats, the only type that all runtimes convolve.
Value in_single(Build& build, const Value& x) { return build.cast(x, tf::DT_FLOAT); }

Result<Window> window_of(Operation& op, const Value& filter, std::size_t rank) {
  TRY(auto window, read_window(op, rank));
  if (!filter.dims.ranked || filter.dims.rank() != rank) return does_not_lower("a filter of unknown rank");
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    const auto size = filter.dims.sizes[i];
    if (size < 1 || size > (1 << 20)) return does_not_lower("a filter of unknown size");
    window.size.push_back(size);
  }
  return window;
}

/// The rank, which the name of the operation tells where the input does not.
std::size_t rank_of(const Operation& op, std::size_t index) {
  if (op.in(index).dims.ranked) return op.in(index).dims.rank();
  return op.type().find("3D") != std::string::npos ? 5 : 4;
}

LoweredValues lower_convolution(Operation& op) {
  auto& build = op.build();
  const auto rank = rank_of(op, 0);
  const auto filter = in_single(build, op.in(1));
  TRY(const auto window, window_of(op, filter, rank));
  const auto x = to_channels_first(build, in_single(build, op.in(0)), window, rank);
  std::vector<std::int64_t> order{static_cast<std::int64_t>(rank) - 1, static_cast<std::int64_t>(rank) - 2};
  for (std::size_t i = 0; i + 2 < rank; ++i) order.push_back(static_cast<std::int64_t>(i));
  const auto weights = build.transpose(filter, order);
  TRY(auto attributes, window_attributes(window, x));
  const auto in = x.dims.size(1);
  const auto each = filter.dims.sizes[rank - 2];
  if (in > 0 && each > 0 && in != each) attributes.push_back({"group", in / each});
  const auto dims = window_dims(window, x, filter.dims.sizes[rank - 1]);
  const auto y = build.op("Conv", {x, weights}, tf::DT_FLOAT, dims, std::move(attributes));
  return one(build.cast(from_channels_first(build, y, window, rank), op.in(0).dtype));
}

LoweredValues lower_depthwise(Operation& op) {
  auto& build = op.build();
  const auto filter = in_single(build, op.in(1));
  TRY(const auto window, window_of(op, filter, 4));
  const auto x = to_channels_first(build, in_single(build, op.in(0)), window, 4);
  const auto channels = filter.dims.sizes[2];
  const auto multiplier = filter.dims.sizes[3];
  constexpr std::int64_t kChannelsMax = std::int64_t{1} << 20U;
  if (channels < 1 || multiplier < 1 || channels > kChannelsMax || multiplier > kChannelsMax)
    return does_not_lower("a filter of unknown size");
  const auto weights = build.reshape_to(build.transpose(filter, {2, 3, 0, 1}),
                                        {channels * multiplier, 1, window.size[0], window.size[1]});
  TRY(auto attributes, window_attributes(window, x));
  attributes.push_back({"group", channels});
  const auto y = build.op("Conv", {x, weights}, tf::DT_FLOAT, window_dims(window, x, channels * multiplier),
                          std::move(attributes));
  return one(build.cast(from_channels_first(build, y, window, 4), op.in(0).dtype));
}

/// Cuts or fills each dimension of space of `full` to `wanted` (int64, one a dimension), as the gradient's padding has
/// it.
Value fit_space(Build& build, const Value& full, const Window& window, const Value& wanted) {
  const auto space = static_cast<std::int64_t>(window.strides.size());
  std::vector<std::int64_t> axes(static_cast<std::size_t>(space));
  std::iota(axes.begin(), axes.end(), 2);
  const auto have = build.slice_axis(build.shape(full), 0, 2, 2 + space);
  const auto zero = Build::integer(0);
  const auto excess = build.sub(have, wanted);
  const auto cut = build.binary("Max", excess, zero);
  const auto start = window.same ? build.div(cut, Build::integer(2)) : build.sub(cut, cut);
  const auto missing = build.binary("Max", build.sub(zero, excess), zero);
  const std::vector<std::int64_t> ones(static_cast<std::size_t>(space), 1);
  auto y = build.slice(full, {axes, start, build.add(start, wanted), ones});
  const auto none = Build::integers({0, 0});
  const auto before = Build::integers(std::vector<std::int64_t>(static_cast<std::size_t>(space) + 2, 0));
  if (const auto known = missing.known_ints();
      known && std::all_of(known->begin(), known->end(), [](auto n) { return n == 0; })) {
    return y;
  }
  return build.pad(y, before, build.concat({none, missing}, 0), Build::number(tf::DT_FLOAT, 0));
}

LoweredValues lower_transposed(Operation& op) {
  auto& build = op.build();
  const auto rank = rank_of(op, 2);
  const auto filter = in_single(build, op.in(1));
  TRY(const auto window, window_of(op, filter, rank));
  const auto x = to_channels_first(build, in_single(build, op.in(2)), window, rank);
  // height, width, out, in: the way that the convolution of which this is the gradient has them.
  std::vector<std::int64_t> order{static_cast<std::int64_t>(rank) - 1, static_cast<std::int64_t>(rank) - 2};
  for (std::size_t i = 0; i + 2 < rank; ++i) order.push_back(static_cast<std::int64_t>(i));
  const auto weights = build.transpose(filter, order);
  if (x.dims.size(1) >= 0 && x.dims.size(1) != filter.dims.sizes[rank - 1]) return does_not_lower("groups");
  Shape sizes{x.dims.size(0), filter.dims.sizes[rank - 2]};
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    const auto in = x.dims.size(i + 2);
    sizes.push_back(in < 0 ? -1 : (in - 1) * window.strides[i] + (window.size[i] - 1) * window.dilations[i] + 1);
  }
  const auto full = build.op("ConvTranspose", {x, weights}, tf::DT_FLOAT, Dims::of(sizes),
                             {{"strides", window.strides}, {"dilations", window.dilations}});
  const auto space = static_cast<std::int64_t>(rank) - 2;
  const auto given = build.as_int64(op.in(0));
  const bool only_space = given.dims.size(0) == space;
  const auto first = only_space ? 0 : window.channels_last ? 1 : 2;
  const auto wanted = build.slice_axis(given, 0, first, first + space);
  const auto y = fit_space(build, full, window, wanted);
  return one(build.cast(from_channels_first(build, y, window, rank), op.in(2).dtype));
}

/// Sizes along each axis as int64 of one element, for arithmetic.
std::vector<Value> sizes_of(Build& build, const Value& x) {
  std::vector<Value> sizes;
  for (std::size_t i = 0; i < x.dims.rank(); ++i) sizes.push_back(build.dim(x, static_cast<std::int64_t>(i)));
  return sizes;
}

LoweredValues lower_space_to_batch(Operation& op) {
  auto& build = op.build();
  TRY(const auto blocks, op.constant(1, "a block"));
  TRY(const auto rank, op.rank(0));
  const auto count = blocks.size();
  if (count == 0 || count + 1 > rank) return fail(Code::kInvalidArgument, "a block of more dimensions than the input");
  const auto margins = margins_of(op, 2);
  const auto rest = Build::integers(std::vector<std::int64_t>(rank - 1 - count, 0));
  const auto all = [&](const Value& space) { return build.concat({Build::integers({0}), space, rest}, 0); };
  const auto x = build.pad(op.in(0), all(margins.before), all(margins.after), Build::number(op.in(0).dtype, 0));
  const auto sizes = sizes_of(build, x);
  std::vector<Value> apart{sizes[0]};
  std::vector<Value> together{sizes[0]};
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < count; ++i) {
    const auto block = Build::integers({blocks[i]});
    apart.insert(apart.end(), {build.div(sizes[i + 1], block), block});
    together[0] = build.mul(together[0], block);
    together.push_back(build.div(sizes[i + 1], block));
    order.push_back(static_cast<std::int64_t>(2 * i + 2));
  }
  order.push_back(0);
  for (std::size_t i = 0; i < count; ++i) order.push_back(static_cast<std::int64_t>(2 * i + 1));
  for (std::size_t i = count + 1; i < rank; ++i) {
    order.push_back(static_cast<std::int64_t>(i + count));
    apart.push_back(sizes[i]);
    together.push_back(sizes[i]);
  }
  const auto moved = build.transpose(build.reshape(x, build.concat(apart, 0)), order);
  return one(build.reshape(moved, build.concat(together, 0)));
}

LoweredValues lower_batch_to_space(Operation& op) {
  auto& build = op.build();
  TRY(const auto blocks, op.constant(1, "a block"));
  TRY(const auto rank, op.rank(0));
  const auto count = blocks.size();
  if (count == 0 || count + 1 > rank) return fail(Code::kInvalidArgument, "a block of more dimensions than the input");
  const auto crops = margins_of(op, 2);
  const auto sizes = sizes_of(build, op.in(0));
  std::vector<Value> apart;
  auto batch = sizes[0];
  std::vector<std::int64_t> order{static_cast<std::int64_t>(count)};
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < count; ++i) {
    apart.push_back(Build::integers({blocks[i]}));
    batch = build.div(batch, apart.back());
    order.insert(order.end(), {static_cast<std::int64_t>(count + 1 + i), static_cast<std::int64_t>(i)});
    axes.push_back(static_cast<std::int64_t>(i) + 1);
  }
  apart.push_back(batch);
  std::vector<Value> together{batch};
  for (std::size_t i = 1; i < rank; ++i) {
    apart.push_back(sizes[i]);
    together.push_back(i <= count ? build.mul(sizes[i], Build::integers({blocks[i - 1]})) : sizes[i]);
    if (i > count) order.push_back(static_cast<std::int64_t>(count + i));
  }
  const auto moved = build.transpose(build.reshape(op.in(0), build.concat(apart, 0)), order);
  const auto whole = build.reshape(moved, build.concat(together, 0));
  const auto ends = build.sub(
      build.concat({together.begin() + 1, together.begin() + 1 + static_cast<std::ptrdiff_t>(count)}, 0), crops.after);
  return one(build.slice(whole, {axes, crops.before, ends, std::vector<std::int64_t>(count, 1)}));
}

LoweredValues lower_depth(Operation& op) {
  auto& build = op.build();
  Window window;
  window.channels_last = op.text("data_format", "NHWC") == "NHWC";
  const auto block = op.integer("block_size", 1);
  if (block < 1 || block > 4096) return fail(Code::kInvalidArgument, "a block of size " + std::to_string(block));
  const bool to_space = op.type() == "DepthToSpace";
  const auto x = to_channels_first(build, op.in(0), window, 4);
  Dims dims = Dims::any_of(4);
  dims.sizes[0] = x.dims.size(0);
  for (std::size_t i = 1; i < 4; ++i) {
    const auto size = x.dims.size(i);
    const auto factor = i == 1 ? block * block : block;
    const bool grows = (i == 1) != to_space;
    dims.sizes[i] = size < 0 ? -1 : grows ? size * factor : size / factor;
  }
  const auto y = build.op(op.type(), {x}, x.dtype, dims, {{"blocksize", block}});
  return one(from_channels_first(build, y, window, 4));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"BatchToSpaceND", lower_batch_to_space, "a constant block"},
    {"Conv2D", lower_convolution},
    {"Conv2DBackpropInput", lower_transposed, "without groups"},
    {"Conv3D", lower_convolution},
    {"Conv3DBackpropInputV2", lower_transposed, "without groups"},
    {"DepthToSpace", lower_depth},
    {"DepthwiseConv2dNative", lower_depthwise},
    {"SpaceToBatchND", lower_space_to_batch, "a constant block"},
    {"SpaceToDepth", lower_depth},
});

}  // namespace

OperationGroup convolution_operations() { return {"Convolution", kOperations}; }

}  // namespace protean
