// SPDX-License-Identifier: Apache-2.0
// StridedSlice: what Python writes between brackets, with an ellipsis, new axes and single indices.
#include <limits>

#include "tensorflow/lowering/strided_slice.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr auto kLast = std::numeric_limits<std::int64_t>::max();
// One more than the least number, which marks what is not known.
constexpr auto kBeforeFirst = std::numeric_limits<std::int64_t>::min() + 1;

bool bit(std::int64_t mask, std::size_t index) { return index < 63 && ((mask >> index) & 1) != 0; }

/// What the brackets ask for, in axes of the input.
struct Plan {
  Build::SliceRange range;
  std::vector<Value> starts;
  std::vector<Value> ends;
  std::vector<std::pair<std::int64_t, Value>> single;  // axis, index
  std::vector<std::int64_t> added;                     // axes of the result
};

struct Brackets {
  Value begin;
  Value end;
  std::vector<std::int64_t> strides;
};

Value element(Build& build, const Value& values, std::size_t index) {
  return build.as_int64(build.gather(values, Build::integers({static_cast<std::int64_t>(index)}), 0));
}

void add_range(Operation& op, const Brackets& brackets, std::size_t i, std::int64_t axis, Plan& plan) {
  const auto stride = brackets.strides[i];
  const bool from_first = bit(op.integer("begin_mask"), i);
  const bool to_last = bit(op.integer("end_mask"), i);
  if (from_first && to_last && stride == 1) return;
  auto& build = op.build();
  plan.range.axes.push_back(axis);
  plan.range.steps.push_back(stride);
  plan.starts.push_back(from_first ? Build::integers({stride > 0 ? 0 : kLast}) : element(build, brackets.begin, i));
  plan.ends.push_back(to_last ? Build::integers({stride > 0 ? kLast : kBeforeFirst}) : element(build, brackets.end, i));
}

Result<Plan> plan_of(Operation& op, const Brackets& brackets) {
  Plan plan;
  const auto count = brackets.strides.size();
  const auto ellipsis = op.integer("ellipsis_mask");
  const auto added = op.integer("new_axis_mask");
  const auto single = op.integer("shrink_axis_mask");
  std::int64_t axis = 0;
  std::int64_t out = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (bit(ellipsis, i)) {
      std::int64_t behind = 0;
      for (std::size_t j = i + 1; j < count; ++j) behind += bit(added, j) ? 0 : 1;
      if (i + 1 == count) break;
      TRY(const auto rank, op.rank(0));
      const auto skipped = static_cast<std::int64_t>(rank) - axis - behind;
      if (skipped < 0) return fail(Code::kInvalidArgument, "more indices than dimensions");
      axis += skipped;
      out += skipped;
    } else if (bit(added, i)) {
      plan.added.push_back(out++);
    } else if (bit(single, i)) {
      plan.single.emplace_back(axis++, op.build().reshape_to(element(op.build(), brackets.begin, i), {}));
    } else {
      add_range(op, brackets, i, axis++, plan);
      ++out;
    }
  }
  return plan;
}

}  // namespace

LoweredValues lower_strided_slice(Operation& op) {
  auto& build = op.build();
  TRY(auto strides, op.constant(3, "strides"));
  for (const auto stride : strides) {
    if (stride == 0) return fail(Code::kInvalidArgument, "a stride of 0");
  }
  TRY(auto plan, plan_of(op, {op.in(1), op.in(2), std::move(strides)}));
  auto x = op.in(0);
  if (!plan.range.axes.empty()) {
    plan.range.starts = build.concat(plan.starts, 0);
    plan.range.ends = build.concat(plan.ends, 0);
    x = build.slice(x, plan.range);
  }
  for (auto single = plan.single.rbegin(); single != plan.single.rend(); ++single) {
    x = build.gather(x, single->second, single->first);
  }
  if (!plan.added.empty()) x = build.unsqueeze(x, plan.added);
  return one(x);
}

}  // namespace protean
