// SPDX-License-Identifier: Apache-2.0
// Branches become If. Loops have a file of their own.
#include <array>

#include "tensorflow/lowering/list_operations.h"
#include "tensorflow/lowering/loop.h"
#include "tensorflow/lowering/lowering.h"
#include "tensorflow/lowering/operation.h"

namespace protean {
namespace {

namespace tf = tensorflow;

/// Results of a function whose arguments are the inputs of `op` from `first` on; computed in the graph that is open.
Result<std::vector<Value>> results_of(Operation& op, const std::string& function, std::size_t first) {
  auto& lowering = op.lowering();
  TRY(const auto* scope, lowering.graph().instantiate(op.scope(), op.node(), function));
  for (std::size_t i = first; i < op.count(); ++i) {
    lowering.bind({scope, nullptr, static_cast<int>(i - first)}, op.in(i));
  }
  std::vector<Value> results;
  for (std::size_t i = 0; i < scope->body().results.size(); ++i) {
    TRY(const auto output, lowering.graph().result(*scope, static_cast<int>(i)));
    TRY(auto value, lowering.value(output));
    results.push_back(std::move(value));
  }
  return results;
}

bool is_tensor(const Value& value) {
  return !value.poison && value.dtype != tf::DT_RESOURCE && value.dtype != tf::DT_VARIANT;
}

std::vector<Value> poisoned(std::size_t count) {
  Value value;
  value.poison = true;
  return std::vector<Value>(count, value);
}

struct Branch {
  lowered_onnx::Graph graph;
  std::vector<Value> results;
  bool poison = false;
};

Result<Branch> lower_branch(Operation& op, const std::string& function) {
  auto& emitter = op.lowering().emitter();
  emitter.begin_inner_graph();
  auto results = results_of(op, function, 1);
  Branch branch;
  if (results) {
    for (const auto& value : *results) {
      if (value.poison) branch.poison = true;
      if (is_tensor(value)) emitter.add_output("", value);
    }
    branch.results = *std::move(results);
  }
  branch.graph = emitter.end_inner_graph();
  if (!results) return tl::unexpected(std::move(results).error());
  return branch;
}

LoweredValues lower_if(Operation& op) {
  if (op.in(0).dtype != tf::DT_BOOL) return does_not_lower("by a condition that is no boolean");
  if (const auto known = op.in(0).known_int()) {
    return results_of(op, op.function(*known != 0 ? "then_branch" : "else_branch"), 1);
  }
  TRY(auto then_branch, lower_branch(op, op.function("then_branch")));
  TRY(auto else_branch, lower_branch(op, op.function("else_branch")));
  const auto count = then_branch.results.size();
  if (then_branch.poison || else_branch.poison) return poisoned(count);
  if (else_branch.results.size() != count)
    return fail(Code::kInvalidArgument, "branches with different numbers of results");
  std::vector<OnnxResult> results;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& a = then_branch.results[i];
    const auto& b = else_branch.results[i];
    if (!is_tensor(a) || a.dtype != b.dtype) return does_not_lower("with results that are no tensors");
    results.push_back({a.dtype, common(a.dims, b.dims)});
  }
  const OnnxOperation branches{
      "If", {{"then_branch", std::move(then_branch.graph)}, {"else_branch", std::move(else_branch.graph)}}, ""};
  return op.lowering().emitter().emit(branches, {op.build().reshape_to(op.in(0), {})}, results);
}

/// Both sides are computed and one is taken; sides that a constant condition rules out are never reached.
LoweredValues lower_merge(Operation& op) {
  TRY(const auto choice, op.lowering().graph().choice_of(op.scope(), op.node()));
  if (!choice) return does_not_lower("of a loop of TF1");
  TRY(const auto predicate, op.lowering().value(choice->predicate));
  if (predicate.poison) return poisoned(1);
  const auto& a = op.in(static_cast<std::size_t>(choice->input_if_true));
  const auto& b = op.in(static_cast<std::size_t>(1 - choice->input_if_true));
  if (predicate.dtype != tf::DT_BOOL || a.dtype != b.dtype) return does_not_lower("by a condition that is no boolean");
  if (!a.dims.ranked || a.dims != b.dims) return does_not_lower("of sides with different shapes");
  return one(op.build().where(op.build().reshape_to(predicate, {}), a, b));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"If", lower_if, "by a boolean, with tensors as results", true},
    {"Merge", lower_merge, "of a condition, sides of equal shape unless it is constant"},
    {"StatelessIf", lower_if, "by a boolean, with tensors as results", true},
    {"StatelessWhile", lower_while, "", true},
    {"While", lower_while, "", true},
});

}  // namespace

OperationGroup control_operations() { return {"Loops and branches", kOperations}; }

}  // namespace protean
