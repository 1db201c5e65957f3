// SPDX-License-Identifier: Apache-2.0
// Layout and types. Folding of integers stands beside each operation, so that both say the same.
#include "tensorflow/lowering/build.h"

#include <algorithm>
#include <limits>

namespace protean {
namespace {

namespace tf = tensorflow;

/// Larger constants get their shape from an operation of the graph instead of being copied.
constexpr std::size_t kFoldedBytesMax = 4096;

/// Rank 0 or 1, with contents that may be known in part.
Value with_ints(DType dtype, Dims dims, std::vector<std::int64_t> ints) {
  Value value;
  value.dtype = dtype;
  value.dims = std::move(dims);
  value.ints = std::move(ints);
  return value;
}

bool all_known(const std::vector<std::int64_t>& ints) {
  return std::find(ints.begin(), ints.end(), kUnknownInt) == ints.end();
}

/// The shape that `to` gives to something of `from`; 0 is a size of its own.
Dims reshaped(const Dims& from, const Value& to) {
  if (!to.ints)
    return to.dims.ranked && to.dims.size(0) >= 0 ? Dims::any_of(static_cast<std::size_t>(to.dims.size(0)))
                                                  : Dims::any();
  Shape sizes;
  std::int64_t product = 1;
  int free = 0;
  for (const auto size : *to.ints) {
    sizes.push_back(size == kUnknownInt || size < 0 ? -1 : size);
    if (sizes.back() < 0) {
      ++free;
    } else if (__builtin_mul_overflow(product, size, &product)) {
      return Dims::any_of(to.ints->size());
    }
  }
  const auto total = from.known() ? element_count(from.sizes) : fail(Code::kUnknown, "");
  if (free == 1 && total && product > 0) {
    *std::find(sizes.begin(), sizes.end(), -1) = static_cast<std::int64_t>(*total) / product;
  }
  return Dims::of(std::move(sizes));
}

std::int64_t from_front(std::int64_t axis, const Dims& dims) {
  return axis < 0 && dims.ranked ? axis + static_cast<std::int64_t>(dims.rank()) : axis;
}

/// Length of the range [start, end) by step over `size` elements, or -1.
std::int64_t slice_length(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step) {
  if (size < 0 || step == 0 || start == kUnknownInt || end == kUnknownInt) return -1;
  const auto clamp = [&](std::int64_t at) {
    if (at < 0) at = at < -size ? -1 : at + size;
    return step > 0 ? std::clamp<std::int64_t>(at, 0, size) : std::clamp<std::int64_t>(at, -1, size - 1);
  };
  start = clamp(start);
  // A negative end of a negative step that lies before the first element.
  end = step < 0 && end < -size ? -1 : clamp(end);
  const auto span = step > 0 ? end - start : start - end;
  const auto stride = step > 0 ? step : -step;
  return span <= 0 ? 0 : (span + stride - 1) / stride;
}

}  // namespace

Value Build::op(const std::string& type, const std::vector<Value>& inputs, DType dtype, Dims dims,
                OnnxAttributes attributes) {
  return emitter_->emit({type, std::move(attributes), ""}, inputs, {{dtype, std::move(dims)}}).front();
}

Value Build::integers(const std::vector<std::int64_t>& values, DType dtype) {
  return with_ints(dtype, Dims::of({static_cast<std::int64_t>(values.size())}), values);
}

Value Build::integer(std::int64_t value, DType dtype) { return with_ints(dtype, Dims::of({}), {value}); }

Value Build::number(DType dtype, double value) {
  return Value::of(std::make_shared<const Literal>(scalar_literal(dtype, value)));
}

Value Build::cast(const Value& value, DType dtype) {
  if (value.dtype == dtype) return value;
  const bool whole = is_integer(dtype) && (is_integer(value.dtype) || value.dtype == tf::DT_BOOL) && !is_narrow(dtype);
  if (whole && value.known_ints()) return with_ints(dtype, value.dims, *value.ints);
  auto result = op("Cast", {value}, dtype, value.dims, {{"to", std::int64_t{onnx_type(dtype)}}});
  if (whole) result.ints = value.ints;
  return result;
}

Value Build::shape(const Value& value) {
  const auto rank = value.dims.ranked ? static_cast<std::int64_t>(value.dims.rank()) : -1;
  if (value.dims.known()) return integers(value.dims.sizes);
  auto result = op("Shape", {value}, tf::DT_INT64, Dims::of({rank}));
  if (rank >= 0) {
    result.ints.emplace();
    for (const auto size : value.dims.sizes) result.ints->push_back(size < 0 ? kUnknownInt : size);
  }
  return result;
}

Value Build::dim(const Value& value, std::int64_t axis) {
  if (const auto size = value.dims.size(static_cast<std::size_t>(from_front(axis, value.dims))); size >= 0) {
    return integers({size});
  }
  return gather(shape(value), integers({axis}), 0);
}

Value Build::reshape(const Value& value, const Value& to, std::optional<Dims> dims) {
  const auto target = as_int64(to);
  auto result_dims = dims ? *dims : reshaped(value.dims, target);
  if (value.known_ints() && result_dims.known() && result_dims.rank() <= 1) {
    return with_ints(value.dtype, result_dims, *value.ints);
  }
  if (value.dims.ranked && value.dims == result_dims && value.dims.known()) return value;
  if (value.literal && result_dims.known() && value.literal->bytes.size() <= kFoldedBytesMax &&
      value.literal->strings.size() <= kIntsMax && element_count(result_dims.sizes) == value.literal->elements()) {
    Literal folded = *value.literal;
    folded.shape = result_dims.sizes;
    return Value::of(std::make_shared<const Literal>(std::move(folded)));
  }
  // 0 in the target is a size, not "as before".
  auto result = op("Reshape", {value, target}, value.dtype, result_dims, {{"allowzero", std::int64_t{1}}});
  if (result_dims.ranked && result_dims.rank() <= 1) result.ints = value.ints;
  return result;
}

Value Build::transpose(const Value& value, const std::vector<std::int64_t>& order) {
  if (std::is_sorted(order.begin(), order.end())) return value;
  Dims dims = Dims::any_of(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) dims.sizes[i] = value.dims.size(static_cast<std::size_t>(order[i]));
  return op("Transpose", {value}, value.dtype, std::move(dims), {{"perm", order}});
}

Value Build::unsqueeze(const Value& value, std::vector<std::int64_t> axes) {
  if (!value.dims.ranked) return op("Unsqueeze", {value, integers(axes)}, value.dtype, Dims::any());
  const auto rank = static_cast<std::int64_t>(value.dims.rank() + axes.size());
  for (auto& axis : axes) axis = axis < 0 ? axis + rank : axis;
  Shape sizes;
  std::size_t next = 0;
  for (std::int64_t i = 0; i < rank; ++i) {
    const bool added = std::find(axes.begin(), axes.end(), i) != axes.end();
    sizes.push_back(added ? 1 : value.dims.size(next++));
  }
  if (value.known_ints() && rank == 1) return with_ints(value.dtype, Dims::of(sizes), *value.ints);
  auto result = op("Unsqueeze", {value, integers(axes)}, value.dtype, Dims::of(sizes));
  if (rank == 1) result.ints = value.ints;
  return result;
}

Value Build::squeeze(const Value& value, std::vector<std::int64_t> axes) {
  if (!value.dims.ranked) return op("Squeeze", {value, integers(axes)}, value.dtype, Dims::any());
  for (auto& axis : axes) axis = from_front(axis, value.dims);
  Shape sizes;
  for (std::size_t i = 0; i < value.dims.rank(); ++i) {
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) == axes.end())
      sizes.push_back(value.dims.sizes[i]);
  }
  if (value.known_ints()) return with_ints(value.dtype, Dims::of(sizes), *value.ints);
  auto result = op("Squeeze", {value, integers(axes)}, value.dtype, Dims::of(sizes));
  result.ints = value.ints;
  return result;
}

Value Build::concat(const std::vector<Value>& values, std::int64_t axis) {
  if (values.size() == 1) return values.front();
  Dims dims = values.front().dims;
  for (std::size_t i = 1; i < values.size(); ++i) dims = dims.ranked ? dims : values[i].dims;
  std::optional<std::vector<std::int64_t>> ints(std::in_place);
  const auto at = static_cast<std::size_t>(from_front(axis, dims));
  std::int64_t total = 0;
  for (const auto& value : values) {
    const auto size = value.dims.size(at);
    total = size < 0 || total < 0 ? -1 : total + size;
    for (std::size_t i = 0; dims.ranked && i < dims.rank(); ++i) {
      if (i != at && dims.sizes[i] < 0) dims.sizes[i] = value.dims.size(i);
    }
    if (value.ints && ints) {
      ints->insert(ints->end(), value.ints->begin(), value.ints->end());
    } else if (ints && value.dims.ranked && value.dims.rank() == 1 && size >= 0 && size <= 32) {
      ints->insert(ints->end(), static_cast<std::size_t>(size), kUnknownInt);
    } else {
      ints.reset();
    }
  }
  if (dims.ranked && at < dims.rank()) dims.sizes[at] = total;
  if (!dims.ranked || dims.rank() != 1 || (ints && ints->size() > kIntsMax)) ints.reset();
  if (ints && all_known(*ints)) return with_ints(values.front().dtype, dims, *ints);
  auto result = op("Concat", values, values.front().dtype, dims, {{"axis", axis}});
  if (is_integer(result.dtype)) result.ints = std::move(ints);
  return result;
}

Value Build::expand(const Value& value, const Value& shape) {
  const auto target = as_int64(shape);
  const auto dims = broadcast(value.dims, reshaped(Dims::any(), target));
  if (value.dims.known() && dims == value.dims && target.known_ints()) return value;
  if (value.known_ints() && value.ints->size() == 1 && dims.known() && dims.rank() == 1 &&
      dims.sizes[0] <= static_cast<std::int64_t>(kIntsMax)) {
    return with_ints(value.dtype, dims,
                     std::vector<std::int64_t>(static_cast<std::size_t>(dims.sizes[0]), value.ints->front()));
  }
  return op("Expand", {value, target}, value.dtype, dims);
}

Value Build::tile(const Value& value, const Value& repeats) {
  const auto times = as_int64(repeats);
  Dims dims = value.dims;
  for (std::size_t i = 0; dims.ranked && i < dims.rank(); ++i) {
    const bool known = times.ints && i < times.ints->size() && (*times.ints)[i] != kUnknownInt && dims.sizes[i] >= 0;
    std::int64_t product = 0;
    const bool fits = known && !__builtin_mul_overflow(dims.sizes[i], (*times.ints)[i], &product);
    dims.sizes[i] = fits ? product : -1;
  }
  return op("Tile", {value, times}, value.dtype, dims);
}

Value Build::slice(const Value& value, const SliceRange& range) {
  Dims dims = value.dims;
  for (std::size_t i = 0; i < range.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(from_front(range.axes[i], dims));
    if (!dims.ranked || axis >= dims.rank()) continue;
    const auto at = [&](const Value& ends) {
      return ends.ints && i < ends.ints->size() ? (*ends.ints)[i] : kUnknownInt;
    };
    dims.sizes[axis] = slice_length(dims.sizes[axis], at(range.starts), at(range.ends), range.steps[i]);
  }
  const auto starts = range.starts.known_ints();
  std::optional<std::vector<std::int64_t>> ints;
  if (value.ints && starts && dims.ranked && dims.rank() == 1 && dims.known() && range.axes.size() == 1) {
    const auto size = static_cast<std::int64_t>(value.ints->size());
    auto at = starts->front() < 0 ? starts->front() + size : starts->front();
    at = std::clamp<std::int64_t>(at, 0, std::max<std::int64_t>(size - 1, 0));
    ints.emplace();
    for (std::int64_t n = 0; n < dims.sizes[0]; ++n, at += range.steps[0])
      ints->push_back(value.ints->at(static_cast<std::size_t>(at)));
    if (all_known(*ints)) return with_ints(value.dtype, dims, *ints);
  }
  auto result =
      op("Slice", {value, range.starts, range.ends, integers(range.axes), integers(range.steps)}, value.dtype, dims);
  result.ints = std::move(ints);
  return result;
}

Value Build::slice_axis(const Value& value, std::int64_t axis, std::int64_t start, std::int64_t end) {
  return slice(value, {{axis}, integers({start}), integers({end}), {1}});
}

Value Build::gather(const Value& value, const Value& indices, std::int64_t axis) {
  const auto wanted = indices.known_ints();
  const auto at = from_front(axis, value.dims);
  Dims dims = Dims::any();
  if (value.dims.ranked && indices.dims.ranked && at >= 0 && at < static_cast<std::int64_t>(value.dims.rank())) {
    Shape sizes(value.dims.sizes.begin(), value.dims.sizes.begin() + at);
    sizes.insert(sizes.end(), indices.dims.sizes.begin(), indices.dims.sizes.end());
    sizes.insert(sizes.end(), value.dims.sizes.begin() + at + 1, value.dims.sizes.end());
    dims = Dims::of(std::move(sizes));
  }
  std::optional<std::vector<std::int64_t>> ints;
  if (value.ints && wanted && value.dims.rank() == 1) {
    const auto size = static_cast<std::int64_t>(value.ints->size());
    ints.emplace();
    for (auto index : *wanted) {
      index = index < 0 ? index + size : index;
      ints->push_back(index >= 0 && index < size ? (*value.ints)[static_cast<std::size_t>(index)] : kUnknownInt);
    }
    if (all_known(*ints)) return with_ints(value.dtype, dims, *ints);
  }
  auto result = op("Gather", {value, indices}, value.dtype, dims, {{"axis", axis}});
  result.ints = std::move(ints);
  return result;
}

Value Build::pad(const Value& value, const Value& before, const Value& after, const Value& with,
                 const std::string& mode) {
  Dims dims = value.dims;
  for (std::size_t i = 0; dims.ranked && i < dims.rank(); ++i) {
    const auto at = [&](const Value& pads) {
      return pads.ints && i < pads.ints->size() ? (*pads.ints)[i] : kUnknownInt;
    };
    const bool known = dims.sizes[i] >= 0 && at(before) != kUnknownInt && at(after) != kUnknownInt;
    std::int64_t size = 0;
    const bool fits = known && !__builtin_add_overflow(dims.sizes[i], at(before), &size) &&
                      !__builtin_add_overflow(size, at(after), &size) && size >= 0;
    dims.sizes[i] = fits ? size : -1;
  }
  return op("Pad", {value, concat({before, after}, 0), with}, value.dtype, dims, {{"mode", mode}});
}

}  // namespace protean
