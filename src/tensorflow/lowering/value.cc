// SPDX-License-Identifier: Apache-2.0
// The lattice of shapes, and the views of constants.
#include "tensorflow/lowering/value.h"

#include <algorithm>

namespace protean {

namespace tf = tensorflow;

bool Dims::known() const noexcept {
  return ranked && std::all_of(sizes.begin(), sizes.end(), [](auto size) { return size >= 0; });
}

Dims Dims::bounded() && noexcept {
  for (auto& size : sizes) size = size < 0 || size > kSizeMax ? -1 : size;
  return std::move(*this);
}

Dims broadcast(const Dims& a, const Dims& b) {
  if (!a.ranked || !b.ranked) return Dims::any();
  const auto& longer = a.rank() >= b.rank() ? a.sizes : b.sizes;
  const auto& shorter = a.rank() >= b.rank() ? b.sizes : a.sizes;
  Shape sizes = longer;
  const auto shift = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    auto& size = sizes[shift + i];
    const auto other = shorter[i];
    if (size == 1) {
      size = other;
    } else if (size == -1) {
      // A free dimension against one that is not 1 can only be as large, or 1.
      size = other > 1 ? other : -1;
    }
  }
  return Dims::of(std::move(sizes));
}

Dims common(const Dims& a, const Dims& b) {
  if (!a.ranked || !b.ranked || a.rank() != b.rank()) return Dims::any();
  Shape sizes = a.sizes;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != b.sizes[i]) sizes[i] = -1;
  }
  return Dims::of(std::move(sizes));
}

Dims merged(const Dims& a, const Dims& b) {
  if (!a.ranked) return b;
  if (!b.ranked || a.rank() != b.rank()) return a;
  Shape sizes = a.sizes;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0) sizes[i] = b.sizes[i];
  }
  return Dims::of(std::move(sizes));
}

Value Value::of(std::shared_ptr<const Literal> literal) {
  Value value;
  value.dtype = literal->dtype;
  value.dims = Dims::of(literal->shape);
  const auto count = literal->elements();
  if (literal->shape.size() <= 1 && count <= kIntsMax &&
      (is_integer(literal->dtype) || literal->dtype == tf::DT_BOOL)) {
    value.ints.emplace();
    for (std::size_t i = 0; i < count; ++i) value.ints->push_back(integer_at(*literal, i).value_or(kUnknownInt));
  }
  value.literal = std::move(literal);
  return value;
}

std::optional<std::vector<std::int64_t>> Value::known_ints() const {
  if (!ints || std::find(ints->begin(), ints->end(), kUnknownInt) != ints->end()) return std::nullopt;
  return ints;
}

std::optional<std::int64_t> Value::known_int() const {
  if (!ints || ints->size() != 1 || ints->front() == kUnknownInt) return std::nullopt;
  return ints->front();
}

bool is_integer(DType dtype) noexcept {
  return dtype == tf::DT_INT32 || dtype == tf::DT_INT64 || dtype == tf::DT_UINT32 || dtype == tf::DT_UINT64 ||
         is_narrow(dtype);
}

bool is_floating(DType dtype) noexcept {
  return dtype == tf::DT_FLOAT || dtype == tf::DT_DOUBLE || dtype == tf::DT_HALF || dtype == tf::DT_BFLOAT16;
}

bool is_narrow(DType dtype) noexcept {
  return dtype == tf::DT_INT8 || dtype == tf::DT_UINT8 || dtype == tf::DT_INT16 || dtype == tf::DT_UINT16;
}

}  // namespace protean
