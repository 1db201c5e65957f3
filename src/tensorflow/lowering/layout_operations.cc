// SPDX-License-Identifier: Apache-2.0
// Operations that move elements and leave them as they are, and those on shapes.
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "tensorflow/lowering/operation.h"
#include "tensorflow/lowering/window.h"

namespace protean {
namespace {

namespace tf = tensorflow;

Result<std::int64_t> scalar(Operation& op, std::size_t index, std::string_view what) {
  TRY(const auto values, op.constant(index, what));
  if (values.size() != 1) return does_not_lower(std::string(what) + " that is no scalar");
  return values[0];
}

/// `axis` counted from the front, of `rank` dimensions.
Result<std::int64_t> checked_axis(std::int64_t axis, std::size_t rank) {
  const auto count = static_cast<std::int64_t>(rank);
  if (axis < -count || axis >= count) {
    return fail(Code::kInvalidArgument, "axis " + std::to_string(axis) + " of " + std::to_string(rank) + " dimensions");
  }
  return axis < 0 ? axis + count : axis;
}

LoweredValues lower_reshape(Operation& op) { return one(op.build().reshape(op.in(0), op.in(1))); }

LoweredValues lower_transpose(Operation& op) {
  TRY(auto order, op.constant(1, "an order of axes"));
  for (auto& axis : order) {
    TRY(axis, checked_axis(axis, order.size()));
  }
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  if (std::unique(sorted.begin(), sorted.end()) != sorted.end())
    return fail(Code::kInvalidArgument, "an axis twice in a permutation");
  return one(op.build().transpose(op.in(0), order));
}

LoweredValues lower_expand_dims(Operation& op) {
  TRY(const auto axis, scalar(op, 1, "an axis"));
  return one(op.build().unsqueeze(op.in(0), {axis}));
}

LoweredValues lower_squeeze(Operation& op) {
  auto& build = op.build();
  auto axes = op.integers("squeeze_dims");
  if (axes.empty()) axes = op.integers("axis");
  if (!axes.empty()) return one(build.squeeze(op.in(0), axes));
  if (!op.in(0).dims.known()) return one(build.op("Squeeze", {op.in(0)}, op.in(0).dtype, Dims::any()));
  for (std::size_t i = 0; i < op.in(0).dims.rank(); ++i) {
    if (op.in(0).dims.sizes[i] == 1) axes.push_back(static_cast<std::int64_t>(i));
  }
  return one(axes.empty() ? op.in(0) : build.squeeze(op.in(0), axes));
}

LoweredValues lower_concat(Operation& op) {
  const bool first = op.type() == "Concat";
  TRY(const auto axis, scalar(op, first ? 0 : op.count() - 1, "an axis"));
  const auto begin = op.inputs().begin() + (first ? 1 : 0);
  return one(op.build().concat({begin, begin + static_cast<std::ptrdiff_t>(op.count()) - 1}, axis));
}

LoweredValues lower_pack(Operation& op) {
  auto axis = op.integer("axis");
  std::vector<Value> values;
  for (const auto& value : op.inputs()) values.push_back(op.build().unsqueeze(value, {axis}));
  if (values.empty()) return fail(Code::kInvalidArgument, "a stack of nothing");
  return one(op.build().concat(values, axis));
}

/// Pieces of `sizes` along `axis`; a free size is -1 and only its dimension is.
std::vector<Value> split_along(Operation& op, const Value& x, std::int64_t axis, const Shape& sizes,
                               bool explicit_sizes) {
  std::vector<OnnxResult> results;
  for (const auto size : sizes) {
    Dims dims = x.dims;
    const auto at = axis < 0 && dims.ranked ? axis + static_cast<std::int64_t>(dims.rank()) : axis;
    if (dims.ranked && at >= 0 && at < static_cast<std::int64_t>(dims.rank()))
      dims.sizes[static_cast<std::size_t>(at)] = size;
    results.push_back({x.dtype, dims});
  }
  std::vector<Value> inputs{x};
  if (explicit_sizes) inputs.push_back(Build::integers(sizes));
  return op.build().emitter().emit({"Split", {{"axis", axis}}, ""}, inputs, results);
}

LoweredValues lower_split(Operation& op) {
  TRY(const auto axis, scalar(op, 0, "an axis"));
  const auto& x = op.in(1);
  const auto parts = op.integer("num_split", 1);
  if (parts < 1 || parts > 4096) return fail(Code::kInvalidArgument, "split into " + std::to_string(parts));
  if (parts == 1) return one(x);
  const auto at = axis < 0 && x.dims.ranked ? axis + static_cast<std::int64_t>(x.dims.rank()) : axis;
  const auto size = x.dims.size(static_cast<std::size_t>(at));
  return split_along(op, x, axis, Shape(static_cast<std::size_t>(parts), size < 0 ? -1 : size / parts), false);
}

LoweredValues lower_split_sizes(Operation& op) {
  TRY(auto sizes, op.constant(1, "sizes"));
  TRY(const auto axis, scalar(op, 2, "an axis"));
  const auto& x = op.in(0);
  const auto free = std::find(sizes.begin(), sizes.end(), -1);
  if (free != sizes.end()) {
    const auto at = axis < 0 && x.dims.ranked ? axis + static_cast<std::int64_t>(x.dims.rank()) : axis;
    const auto whole = x.dims.size(static_cast<std::size_t>(at));
    if (whole < 0) return does_not_lower("a size that is not known");
    *free = whole - std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1});
  }
  if (sizes.size() == 1) return one(x);
  return split_along(op, x, axis, sizes, true);
}

LoweredValues lower_unpack(Operation& op) {
  const auto& x = op.in(0);
  const auto parts = op.integer("num", 1);
  const auto axis = op.integer("axis");
  if (parts < 1 || parts > 4096) return does_not_lower("into " + std::to_string(parts));
  if (const auto known = x.known_ints(); known && static_cast<std::int64_t>(known->size()) == parts) {
    std::vector<Value> values;
    for (const auto value : *known) values.push_back(Build::integer(value, x.dtype));
    return values;
  }
  auto values =
      parts == 1 ? std::vector<Value>{x} : split_along(op, x, axis, Shape(static_cast<std::size_t>(parts), 1), false);
  for (auto& value : values) value = op.build().squeeze(value, {axis});
  return values;
}

LoweredValues lower_tile(Operation& op) { return one(op.build().tile(op.in(0), op.in(1))); }

LoweredValues lower_broadcast(Operation& op) { return one(op.build().expand(op.in(0), op.in(1))); }

LoweredValues lower_fill(Operation& op) { return one(op.build().expand(op.in(1), op.in(0))); }

LoweredValues lower_pad(Operation& op) {
  auto& build = op.build();
  const auto pads = margins_of(op, 1);
  auto x = op.in(0);
  const auto dtype = x.dtype;
  if (dtype == tf::DT_STRING) return does_not_lower("of strings");
  auto with = op.type() == "PadV2" ? op.in(2) : Build::number(dtype, 0);
  if (dtype == tf::DT_INT16 || dtype == tf::DT_UINT16 || dtype == tf::DT_HALF) {
    const auto wide = dtype == tf::DT_HALF ? tf::DT_FLOAT : tf::DT_INT32;
    x = build.cast(x, wide);
    with = build.cast(with, wide);
  }
  return one(build.cast(build.pad(x, pads.before, pads.after, with), dtype));
}

/// The `count` elements at one end of an axis, the other way round.
Value mirrored(Build& build, const Value& x, std::int64_t axis, std::int64_t count, bool front) {
  constexpr auto kFirst = std::numeric_limits<std::int64_t>::min() + 1;
  const auto start = front ? count - 1 : -1;
  const auto end = front ? kFirst : -count - 1;
  return build.slice(x, {{axis}, Build::integers({start}), Build::integers({end}), {-1}});
}

LoweredValues lower_mirror_pad(Operation& op) {
  auto& build = op.build();
  TRY(const auto pads, op.constant(1, "paddings"));
  auto x = op.in(0);
  if (op.text("mode") == "REFLECT" && is_floating(x.dtype)) {
    const auto split_pads = margins_of(op, 1);
    return one(build.pad(x, split_pads.before, split_pads.after, Build::absent(), "reflect"));
  }
  if (op.text("mode") != "SYMMETRIC") return does_not_lower("of " + dtype_name(x.dtype));
  for (std::size_t axis = 0; 2 * axis + 1 < pads.size(); ++axis) {
    const auto at = static_cast<std::int64_t>(axis);
    std::vector<Value> parts{x};
    if (pads[2 * axis] > 0) parts.insert(parts.begin(), mirrored(build, x, at, pads[2 * axis], true));
    if (pads[2 * axis + 1] > 0) parts.push_back(mirrored(build, x, at, pads[2 * axis + 1], false));
    x = build.concat(parts, at);
  }
  return one(x);
}

LoweredValues lower_reverse(Operation& op) {
  TRY(const auto axes, op.constant(1, "axes"));
  if (axes.empty()) return one(op.in(0));
  constexpr auto kFirst = std::numeric_limits<std::int64_t>::min() + 1;
  const std::vector<std::int64_t> starts(axes.size(), std::numeric_limits<std::int64_t>::max());
  const std::vector<std::int64_t> ends(axes.size(), kFirst);
  const std::vector<std::int64_t> steps(axes.size(), -1);
  return one(op.build().slice(op.in(0), {axes, Build::integers(starts), Build::integers(ends), steps}));
}

LoweredValues lower_roll(Operation& op) {
  TRY(const auto shifts, op.constant(1, "a shift"));
  TRY(const auto axes, op.constant(2, "an axis"));
  TRY(const auto rank, op.rank(0));
  auto x = op.in(0);
  for (std::size_t i = 0; i < axes.size() && i < shifts.size(); ++i) {
    TRY(const auto axis, checked_axis(axes[i], rank));
    const auto size = x.dims.size(static_cast<std::size_t>(axis));
    // Only of a known size is it known how often a shift goes round.
    if (size < 0 && (shifts[i] < -1 || shifts[i] > 1)) return does_not_lower("by more than 1 along a free dimension");
    const auto shift = size > 0 ? shifts[i] % size : shifts[i];
    if (shift == 0) continue;
    const auto end = std::numeric_limits<std::int64_t>::max();
    x = op.build().concat({op.build().slice_axis(x, axis, -shift, end), op.build().slice_axis(x, axis, 0, -shift)},
                          axis);
  }
  return one(x);
}

LoweredValues lower_shape(Operation& op) {
  std::vector<Value> shapes;
  for (const auto& x : op.inputs())
    shapes.push_back(op.build().cast(op.build().shape(x), op.dtype("out_type", tf::DT_INT32)));
  return shapes;
}

LoweredValues lower_size(Operation& op) {
  auto& build = op.build();
  const auto to = op.dtype("out_type", tf::DT_INT32);
  if (op.in(0).dims.known()) {
    TRY(const auto count, element_count(op.in(0).dims.sizes));
    return one(Build::integer(static_cast<std::int64_t>(count), to));
  }
  return one(build.cast(build.op("Size", {op.in(0)}, tf::DT_INT64, Dims::of({})), to));
}

LoweredValues lower_rank(Operation& op) {
  if (op.in(0).dims.ranked) return one(Build::integer(static_cast<std::int64_t>(op.in(0).dims.rank()), tf::DT_INT32));
  auto& build = op.build();
  return one(build.cast(build.op("Size", {build.shape(op.in(0))}, tf::DT_INT64, Dims::of({})), tf::DT_INT32));
}

LoweredValues lower_range(Operation& op) {
  const auto& start = op.in(0);
  const auto first = start.known_int();
  const auto limit = op.in(1).known_int();
  const auto step = op.in(2).known_int();
  const auto small = [](const auto& value) { return value && *value > -kSizeMax && *value < kSizeMax; };
  if (small(first) && small(limit) && small(step) && *step != 0) {
    std::vector<std::int64_t> values;
    for (auto at = *first; *step > 0 ? at < *limit : at > *limit; at += *step) {
      values.push_back(at);
      if (values.size() > kIntsMax) break;
    }
    if (values.size() <= kIntsMax) return one(Build::integers(values, start.dtype));
  }
  return one(op.build().op("Range", {start, op.in(1), op.in(2)}, start.dtype, Dims::any_of(1)));
}

LoweredValues lower_slice(Operation& op) {
  auto& build = op.build();
  TRY(const auto rank, op.rank(0));
  std::vector<std::int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  const auto starts = build.as_int64(op.in(1));
  const auto sizes = op.in(2).known_ints();
  Value ends;
  if (sizes && sizes->size() == rank) {
    std::vector<Value> parts;
    for (std::size_t i = 0; i < rank; ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const auto start = build.gather(starts, Build::integers({at}), 0);
      parts.push_back((*sizes)[i] < 0 ? Build::integers({std::numeric_limits<std::int64_t>::max()})
                                      : build.add(start, Build::integers({(*sizes)[i]})));
    }
    ends = parts.empty() ? Build::integers({}) : build.concat(parts, 0);
  } else {
    const auto lengths = build.as_int64(op.in(2));
    const auto negative = build.compare("Less", lengths, Build::integer(0));
    ends = build.where(negative, Build::integer(std::numeric_limits<std::int64_t>::max()), build.add(starts, lengths));
  }
  if (rank == 0) return one(op.in(0));
  return one(build.slice(op.in(0), {axes, starts, ends, std::vector<std::int64_t>(rank, 1)}));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"BroadcastTo", lower_broadcast},
    {"Concat", lower_concat},
    {"ConcatV2", lower_concat},
    {"ExpandDims", lower_expand_dims},
    {"Fill", lower_fill},
    {"MirrorPad", lower_mirror_pad, "constant paddings"},
    {"Pack", lower_pack},
    {"Pad", lower_pad, "not of strings"},
    {"PadV2", lower_pad, "not of strings"},
    {"Range", lower_range},
    {"Rank", lower_rank},
    {"Reshape", lower_reshape},
    {"ReverseV2", lower_reverse, "constant axes"},
    {"Roll", lower_roll, "a constant shift; by one along a free dimension"},
    {"Shape", lower_shape},
    {"ShapeN", lower_shape},
    {"Size", lower_size},
    {"Slice", lower_slice, "of known rank"},
    {"Split", lower_split},
    {"SplitV", lower_split_sizes, "constant sizes"},
    {"Squeeze", lower_squeeze},
    {"Tile", lower_tile},
    {"Transpose", lower_transpose, "a constant order"},
    {"Unpack", lower_unpack},
});

}  // namespace

OperationGroup layout_operations() { return {"Layout and shapes", kOperations}; }

}  // namespace protean
