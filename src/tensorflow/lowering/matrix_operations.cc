// SPDX-License-Identifier: Apache-2.0
// Products of matrices and what is done to their corners.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "base/text.h"
#include "tensorflow/lowering/operation.h"

namespace protean {
namespace {

namespace tf = tensorflow;

Result<Value> adjoint(Operation& op, std::size_t index) {
  TRY(const auto rank, op.rank(index));
  if (rank < 2) return fail(Code::kInvalidArgument, "matrix product of less than two dimensions");
  std::vector<std::int64_t> order(rank);
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[rank - 1], order[rank - 2]);
  return op.build().transpose(op.in(index), order);
}

LoweredValues lower_matmul(Operation& op) {
  const bool batch = op.type() != "MatMul";
  auto a = op.in(0);
  auto b = op.in(1);
  if (op.flag(batch ? "adj_x" : "transpose_a")) {
    TRY(a, adjoint(op, 0));
  }
  if (op.flag(batch ? "adj_y" : "transpose_b")) {
    TRY(b, adjoint(op, 1));
  }
  return one(op.build().matmul(a, b));
}

/// Sizes of the result of an equation whose operands have known ranks; free ones where that does not follow.
Dims einsum_dims(Operation& op, std::string_view equation) {
  const auto arrow = equation.find("->");
  if (arrow == std::string_view::npos) return Dims::any();
  const auto terms = split(equation.substr(0, arrow), ',');
  if (terms.size() != op.count()) return Dims::any();
  std::map<char, std::int64_t> sizes;
  Dims between = Dims::of({});
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const auto& dims = op.in(i).dims;
    const auto dots = terms[i].find("...");
    const auto letters = terms[i].size() - (dots == std::string_view::npos ? 0 : 3);
    if (!dims.ranked || dims.rank() < letters || (dots == std::string_view::npos && dims.rank() != letters))
      return Dims::any();
    const auto wide = dims.rank() - letters;
    std::size_t axis = 0;
    for (std::size_t c = 0; c < terms[i].size(); ++c) {
      if (terms[i][c] == '.') {
        const auto first = dims.sizes.begin() + static_cast<std::ptrdiff_t>(axis);
        between = broadcast(between, Dims::of(Shape(first, first + static_cast<std::ptrdiff_t>(wide))));
        axis += wide;
        c += 2;
        continue;
      }
      auto& size = sizes.try_emplace(terms[i][c], -1).first->second;
      size = std::max(size, dims.sizes[axis++]);
    }
  }
  Shape result;
  const auto out = equation.substr(arrow + 2);
  for (std::size_t c = 0; c < out.size(); ++c) {
    if (out[c] == '.') {
      result.insert(result.end(), between.sizes.begin(), between.sizes.end());
      c += 2;
      continue;
    }
    result.push_back(sizes.count(out[c]) != 0 ? sizes[out[c]] : -1);
  }
  return Dims::of(std::move(result));
}

LoweredValues lower_einsum(Operation& op) {
  auto equation = op.text("equation");
  std::erase(equation, ' ');
  return one(op.build().op("Einsum", op.inputs(), op.in(0).dtype, einsum_dims(op, equation), {{"equation", equation}}));
}

LoweredValues lower_band(Operation& op) {
  auto& build = op.build();
  TRY(const auto lower, op.constant(1, "a number of diagonals"));
  TRY(const auto upper, op.constant(2, "a number of diagonals"));
  if (lower.size() != 1 || upper.size() != 1) return does_not_lower("numbers of diagonals that are no scalars");
  auto x = op.in(0);
  const auto dtype = x.dtype;
  if (dtype != tf::DT_FLOAT && dtype != tf::DT_DOUBLE && dtype != tf::DT_INT64)
    x = build.cast(x, dtype == tf::DT_HALF ? tf::DT_FLOAT : tf::DT_INT64);
  const auto keep = [&](bool above, std::int64_t diagonal) {
    x = build.op("Trilu", {x, Build::integer(diagonal)}, x.dtype, x.dims, {{"upper", std::int64_t{above ? 1 : 0}}});
  };
  if (lower[0] >= 0) keep(true, -lower[0]);
  if (upper[0] >= 0) keep(false, upper[0]);
  return one(build.cast(x, dtype));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"BatchMatMul", lower_matmul},
    {"BatchMatMulV2", lower_matmul},
    {"BatchMatMulV3", lower_matmul},
    {"Einsum", lower_einsum},
    {"MatMul", lower_matmul},
    {"MatrixBandPart", lower_band, "constant numbers of diagonals"},
});

}  // namespace

OperationGroup matrix_operations() { return {"Matrices", kOperations}; }

}  // namespace protean
