// SPDX-License-Identifier: Apache-2.0
// Arithmetic. Runtimes have no kernels for narrow integers: those are computed as 32-bit ones and cut back.
#include <algorithm>
#include <limits>
#include <optional>

#include "tensorflow/lowering/build.h"

namespace protean {
namespace {

namespace tf = tensorflow;

/// nullopt when the operation is not followed or its result does not fit.
std::optional<std::int64_t> fold(const std::string& type, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (a == kUnknownInt || b == kUnknownInt)
    return type == "Mul" && (a == 0 || b == 0) ? std::optional<std::int64_t>(0) : std::nullopt;
  if (type == "Add") return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (type == "Sub") return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (type == "Mul") return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (type == "Max") return std::max(a, b);
  if (type == "Min") return std::min(a, b);
  if (b == 0 || (a == std::numeric_limits<std::int64_t>::min() && b == -1)) return std::nullopt;
  if (type == "Div") return a / b;
  if (type == "Mod") return a % b != 0 && ((a % b < 0) != (b < 0)) ? a % b + b : a % b;
  return std::nullopt;
}

/// Comparisons and logic over what is known.
std::optional<std::int64_t> fold_truth(const std::string& type, std::int64_t a, std::int64_t b) {
  if (a == kUnknownInt || b == kUnknownInt) return std::nullopt;
  if (type == "Equal") return a == b ? 1 : 0;
  if (type == "Less") return a < b ? 1 : 0;
  if (type == "LessOrEqual") return a <= b ? 1 : 0;
  if (type == "Greater") return a > b ? 1 : 0;
  if (type == "GreaterOrEqual") return a >= b ? 1 : 0;
  if (type == "And") return a != 0 && b != 0 ? 1 : 0;
  if (type == "Or") return a != 0 || b != 0 ? 1 : 0;
  return std::nullopt;
}

template <typename Fold>
std::optional<std::vector<std::int64_t>> folded_by(Fold fold_one, const Value& a, const Value& b) {
  if (!a.ints || !b.ints || a.ints->empty() || b.ints->empty()) return std::nullopt;
  const auto count = std::max(a.ints->size(), b.ints->size());
  if ((a.ints->size() != count && a.ints->size() != 1) || (b.ints->size() != count && b.ints->size() != 1)) {
    return std::nullopt;
  }
  std::vector<std::int64_t> ints;
  for (std::size_t i = 0; i < count; ++i) {
    const auto result = fold_one((*a.ints)[a.ints->size() == 1 ? 0 : i], (*b.ints)[b.ints->size() == 1 ? 0 : i]);
    ints.push_back(result.value_or(kUnknownInt));
  }
  return ints;
}

bool all_known(const std::optional<std::vector<std::int64_t>>& ints) {
  return ints && std::find(ints->begin(), ints->end(), kUnknownInt) == ints->end();
}

Value constant_ints(DType dtype, Dims dims, std::vector<std::int64_t> ints) {
  Value value;
  value.dtype = dtype;
  value.dims = std::move(dims);
  value.ints = std::move(ints);
  return value;
}

bool fits_type(const std::vector<std::int64_t>& ints, DType dtype) {
  return std::all_of(ints.begin(), ints.end(), [&](auto value) {
    if (value == kUnknownInt || dtype == tf::DT_INT64) return true;
    return dtype == tf::DT_INT32 && value >= std::numeric_limits<std::int32_t>::min() &&
           value <= std::numeric_limits<std::int32_t>::max();
  });
}

}  // namespace

Value Build::binary(const std::string& type, const Value& a, const Value& b) {
  if (is_narrow(a.dtype)) {
    return cast(binary(type, cast(a, tf::DT_INT32), cast(b, tf::DT_INT32)), a.dtype);
  }
  auto dims = broadcast(a.dims, b.dims);
  std::optional<std::vector<std::int64_t>> ints;
  if ((a.dtype == tf::DT_INT32 || a.dtype == tf::DT_INT64) && dims.ranked && dims.rank() <= 1) {
    ints = folded_by([&](auto x, auto y) { return fold(type, x, y); }, a, b);
  }
  if (ints && !fits_type(*ints, a.dtype)) ints.reset();
  if (all_known(ints)) return constant_ints(a.dtype, std::move(dims), *ints);
  auto result = op(type, {a, b}, a.dtype, std::move(dims));
  result.ints = std::move(ints);
  return result;
}

Value Build::compare(const std::string& type, const Value& a, const Value& b) {
  if (is_narrow(a.dtype)) return compare(type, cast(a, tf::DT_INT32), cast(b, tf::DT_INT32));
  auto dims = broadcast(a.dims, b.dims);
  const auto ints = folded_by([&](auto x, auto y) { return fold_truth(type, x, y); }, a, b);
  if (all_known(ints) && dims.ranked && dims.rank() <= 1) return constant_ints(tf::DT_BOOL, std::move(dims), *ints);
  return op(type, {a, b}, tf::DT_BOOL, std::move(dims));
}

Value Build::unary(const std::string& type, const Value& value, OnnxAttributes attributes) {
  return op(type, {value}, value.dtype, value.dims, std::move(attributes));
}

Value Build::where(const Value& condition, const Value& a, const Value& b) {
  // One that decides for all elements; shapes are the same when the others are scalars or no larger.
  if (const auto known = condition.known_int(); known && condition.dims.scalar()) {
    const auto& chosen = *known != 0 ? a : b;
    if (chosen.dims == broadcast(a.dims, b.dims) && chosen.dims.known()) return chosen;
  }
  return op("Where", {condition, a, b}, a.dtype, broadcast(condition.dims, broadcast(a.dims, b.dims)));
}

Value Build::floor_mod(const Value& a, const Value& b) {
  if (!is_floating(a.dtype)) return binary("Mod", a, b);
  return sub(a, mul(unary("Floor", div(a, b)), b));
}

Value Build::floor_div(const Value& a, const Value& b) {
  if (is_floating(a.dtype)) return unary("Floor", div(a, b));
  return div(sub(a, binary("Mod", a, b)), b);
}

Value Build::matmul(const Value& a, const Value& b) {
  if (!a.dims.ranked || !b.dims.ranked || a.dims.rank() < 2 || b.dims.rank() < 2) {
    return op("MatMul", {a, b}, a.dtype, Dims::any());
  }
  const auto cut = [](const Dims& dims) { return Dims::of(Shape(dims.sizes.begin(), dims.sizes.end() - 2)); };
  auto dims = broadcast(cut(a.dims), cut(b.dims));
  dims.sizes.push_back(a.dims.sizes[a.dims.rank() - 2]);
  dims.sizes.push_back(b.dims.sizes.back());
  return op("MatMul", {a, b}, a.dtype, std::move(dims));
}

Value Build::reduce(const std::string& type, const Value& value, std::optional<std::vector<std::int64_t>> axes,
                    bool keep_dims) {
  const bool narrow = is_narrow(value.dtype);
  const auto input = narrow ? cast(value, tf::DT_INT32) : value;
  Dims dims = axes ? Dims::any() : Dims::of({});
  if (value.dims.ranked && (axes || keep_dims)) {
    Shape sizes;
    const auto rank = static_cast<std::int64_t>(value.dims.rank());
    for (std::int64_t i = 0; i < rank; ++i) {
      const bool reduced = !axes || std::find(axes->begin(), axes->end(), i) != axes->end() ||
                           std::find(axes->begin(), axes->end(), i - rank) != axes->end();
      if (!reduced) sizes.push_back(value.dims.sizes[static_cast<std::size_t>(i)]);
      if (reduced && keep_dims) sizes.push_back(1);
    }
    dims = Dims::of(std::move(sizes));
  }
  OnnxAttributes attributes{{"keepdims", std::int64_t{keep_dims ? 1 : 0}}};
  std::vector<Value> inputs{input};
  if (type == "ReduceSum") {
    if (axes) inputs.push_back(integers(*axes));
  } else if (axes) {
    attributes.push_back({"axes", *axes});
  }
  auto result = op(type, inputs, input.dtype, dims, std::move(attributes));
  return narrow ? cast(result, value.dtype) : result;
}

}  // namespace protean
