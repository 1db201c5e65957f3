// SPDX-License-Identifier: Apache-2.0
// Elements picked by indices, conditions and bins.
#include <array>

#include "tensorflow/lowering/operation.h"
#include "tensorflow/lowering/strided_slice.h"

namespace protean {
namespace {

namespace tf = tensorflow;

LoweredValues lower_select_v2(Operation& op) { return one(op.build().where(op.in(0), op.in(1), op.in(2))); }

LoweredValues lower_select(Operation& op) {
  auto condition = op.in(0);
  TRY(const auto rank, op.rank(1));
  TRY(const auto given, op.rank(0));
  // A vector chooses whole rows.
  if (given == 1 && rank > 1) {
    std::vector<std::int64_t> axes;
    for (std::size_t i = 1; i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
    condition = op.build().unsqueeze(condition, axes);
  }
  return one(op.build().where(condition, op.in(1), op.in(2)));
}

LoweredValues lower_where(Operation& op) {
  auto& build = op.build();
  TRY(const auto rank, op.rank(0));
  const auto places = build.op("NonZero", {op.in(0)}, tf::DT_INT64, Dims::of({static_cast<std::int64_t>(rank), -1}));
  return one(build.transpose(places, {1, 0}));
}

LoweredValues lower_gather(Operation& op) {
  auto& build = op.build();
  std::int64_t axis = 0;
  if (op.type() == "GatherV2") {
    TRY(const auto axes, op.constant(2, "an axis"));
    if (axes.size() != 1) return does_not_lower("an axis that is no scalar");
    axis = axes[0];
  }
  auto batch = op.integer("batch_dims");
  const auto& x = op.in(0);
  if (batch < 0) {
    TRY(const auto rank, op.rank(1));
    batch += static_cast<std::int64_t>(rank);
  }
  if (batch == 0) return one(build.gather(x, op.in(1), axis));
  TRY(const auto rank, op.rank(0));
  TRY(const auto index_rank, op.rank(1));
  if (axis < 0) axis += static_cast<std::int64_t>(rank);
  if (axis != batch) return does_not_lower("an axis behind others than its batch_dims");
  const auto indices = build.unsqueeze(build.as_int64(op.in(1)), {static_cast<std::int64_t>(index_rank)});
  Shape sizes = op.in(1).dims.sizes;
  sizes.insert(sizes.end(), x.dims.sizes.begin() + axis + 1, x.dims.sizes.end());
  return one(build.op("GatherND", {x, indices}, x.dtype, Dims::of(sizes), {{"batch_dims", batch}}));
}

LoweredValues lower_gather_nd(Operation& op) {
  auto& build = op.build();
  const auto& x = op.in(0);
  const auto& indices = op.in(1);
  Dims dims = Dims::any();
  if (x.dims.ranked && indices.dims.ranked && indices.dims.rank() > 0 && indices.dims.sizes.back() >= 0 &&
      indices.dims.sizes.back() <= static_cast<std::int64_t>(x.dims.rank())) {
    Shape sizes(indices.dims.sizes.begin(), indices.dims.sizes.end() - 1);
    sizes.insert(sizes.end(), x.dims.sizes.begin() + indices.dims.sizes.back(), x.dims.sizes.end());
    dims = Dims::of(std::move(sizes));
  }
  return one(build.op("GatherND", {x, build.as_int64(indices)}, x.dtype, dims));
}

LoweredValues lower_one_hot(Operation& op) {
  auto& build = op.build();
  TRY(const auto rank, op.rank(0));
  auto axis = op.integer("axis", -1);
  if (axis < 0) axis += static_cast<std::int64_t>(rank) + 1;
  const auto indices = build.unsqueeze(build.as_int64(op.in(0)), {axis});
  const auto depth = build.reshape_to(build.as_int64(op.in(1)), {});
  auto classes = build.op("Range", {Build::integer(0), depth, Build::integer(1)}, tf::DT_INT64,
                          Dims::of({depth.known_int().value_or(-1)}));
  std::vector<std::int64_t> behind;
  for (auto i = axis; i < static_cast<std::int64_t>(rank); ++i) behind.push_back(i - axis + 1);
  if (!behind.empty()) classes = build.unsqueeze(classes, behind);
  // Not ONNX's OneHot, which counts negative indices from the end.
  return one(build.where(build.compare("Equal", indices, classes), op.in(2), op.in(3)));
}

LoweredValues lower_scatter_update(Operation& op) {
  auto& build = op.build();
  const auto& x = op.in(0);
  return one(build.op("ScatterND", {x, build.as_int64(op.in(1)), op.in(2)}, x.dtype, x.dims));
}

LoweredValues lower_scatter_add(Operation& op) {
  auto& build = op.build();
  const bool fresh = op.type() == "ScatterNd";
  const auto& updates = op.in(fresh ? 1 : 2);
  const auto& indices = op.in(fresh ? 0 : 1);
  const auto x = fresh ? build.expand(Build::number(updates.dtype, 0), op.in(2)) : op.in(0);
  return one(build.op("ScatterND", {x, build.as_int64(indices), updates}, x.dtype, x.dims,
                      {{"reduction", std::string("add")}}));
}

LoweredValues lower_bucketize(Operation& op) {
  auto& build = op.build();
  const auto* attribute = op.attribute("boundaries");
  const auto count = attribute == nullptr ? 0 : attribute->list().f_size();
  const auto zeros = [&] { return build.expand(Build::integer(0, tf::DT_INT32), build.shape(op.in(0))); };
  if (count == 0) return one(zeros());
  Literal boundaries{tf::DT_FLOAT, {count}, {}, {}};
  boundaries.bytes.assign(reinterpret_cast<const char*>(attribute->list().f().data()),
                          static_cast<std::size_t>(count) * sizeof(float));
  const auto bounds = Value::of(std::make_shared<const Literal>(std::move(boundaries)));
  const auto x = build.unsqueeze(build.cast(op.in(0), tf::DT_FLOAT), {-1});
  const auto passed = build.cast(build.compare("GreaterOrEqual", x, bounds), tf::DT_INT32);
  return one(build.reduce("ReduceSum", passed, std::vector<std::int64_t>{-1}, false));
}

LoweredValues lower_bincount(Operation& op) {
  auto& build = op.build();
  TRY(const auto rank, op.rank(0));
  if (rank > 2) return fail(Code::kInvalidArgument, "bins of more than two dimensions");
  const auto to = op.dtype("T", tf::DT_FLOAT);
  const auto size = build.reshape_to(build.as_int64(op.in(1)), {});
  const auto bins = build.op("Range", {Build::integer(0), size, Build::integer(1)}, tf::DT_INT64,
                             Dims::of({size.known_int().value_or(-1)}));
  const auto member = build.compare("Equal", build.unsqueeze(build.as_int64(op.in(0)), {-1}), bins);
  const std::vector<std::int64_t> along{static_cast<std::int64_t>(rank) == 0 ? 0 : static_cast<std::int64_t>(rank) - 1};
  auto counts = build.cast(member, to);
  if (op.flag("binary_output")) return one(build.reduce("ReduceMax", counts, along, false));
  if (!op.in(2).dims.known()) return does_not_lower("weights of unknown shape");
  TRY(const auto weights, element_count(op.in(2).dims.sizes));
  if (weights > 0) counts = build.mul(counts, build.unsqueeze(op.in(2), {-1}));
  return one(build.reduce("ReduceSum", counts, along, false));
}

/// How many of a sorted row are less (or not greater).
LoweredValues lower_bound(Operation& op) {
  auto& build = op.build();
  const auto sorted = build.unsqueeze(op.in(0), {1});
  const auto values = build.unsqueeze(op.in(1), {2});
  const auto before = build.compare(op.type() == "LowerBound" ? "Less" : "LessOrEqual", sorted, values);
  const auto counts = build.reduce("ReduceSum", build.cast(before, tf::DT_INT32), std::vector<std::int64_t>{2}, false);
  return one(build.cast(counts, op.dtype("out_type", tf::DT_INT32)));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"Bincount", lower_bincount},
    {"Bucketize", lower_bucketize},
    {"DenseBincount", lower_bincount},
    {"Gather", lower_gather},
    {"GatherNd", lower_gather_nd},
    {"GatherV2", lower_gather, "a constant axis, which is that of batch_dims if there are any"},
    {"LowerBound", lower_bound},
    {"OneHot", lower_one_hot},
    {"ScatterNd", lower_scatter_add},
    {"Select", lower_select},
    {"SelectV2", lower_select_v2},
    {"StridedSlice", lower_strided_slice, "constant strides"},
    {"TensorScatterAdd", lower_scatter_add},
    {"TensorScatterUpdate", lower_scatter_update},
    {"UpperBound", lower_bound},
    {"Where", lower_where},
});

}  // namespace

OperationGroup selection_operations() { return {"Selection", kOperations}; }

}  // namespace protean
