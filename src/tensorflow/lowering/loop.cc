// SPDX-License-Identifier: Apache-2.0
// The body is lowered with what is known before the first round; where a round changes a shape, the shape becomes free
// and the body is lowered again. Each try only loses knowledge, so that it ends.
#include "tensorflow/lowering/loop.h"

#include <algorithm>

#include "tensorflow/lowering/list_operations.h"
#include "tensorflow/lowering/lowering.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr int kTriesMax = 12;

/// How an argument of the loop goes on.
enum class Role { kInvariant, kCarried, kScanned };

struct Variable {
  Role role = Role::kCarried;
  Value initial;
  /// Of the carried tensor (a list's stack).
  Dims dims;
};

int uses_of(const GraphBody& body, int argument) {
  const auto& name = body.function->signature().input_arg(argument).name();
  int uses = 0;
  for (const auto* node : body.nodes) {
    for (const auto& input : node->input()) {
      uses += input == name || input.compare(0, name.size() + 1, name + ":") == 0 ? 1 : 0;
    }
  }
  return uses;
}

class Loop {
 public:
  explicit Loop(Operation& op) : op_(op), lowering_(op.lowering()), graph_(op.lowering().graph()) {}

  LoweredValues lower() {
    for (const auto& input : op_.inputs()) variables_.push_back({Role::kCarried, input, input.dims});
    TRY_STATUS(find_roles());
    TRY_STATUS(check_carried());
    for (int tries = 0; tries < kTriesMax; ++tries) {
      lowering_.emitter().begin_inner_graph();
      auto again = lower_body();
      body_ = lowering_.emitter().end_inner_graph();
      if (!again) return tl::unexpected(std::move(again).error());
      if (poison_) return poisoned();
      if (!*again) return finish();
    }
    return does_not_lower("a loop whose shapes do not settle");
  }

 private:
  static bool is_list(const Value& value) { return value.list != nullptr; }

  std::vector<Value> poisoned() const {
    Value value;
    value.poison = true;
    return std::vector<Value>(variables_.size(), value);
  }

  Status find_roles() {
    TRY(const auto* body, graph_.instantiate(op_.scope(), op_.node(), op_.function("body")));
    TRY(const auto* condition, graph_.instantiate(op_.scope(), op_.node(), op_.function("cond")));
    if (body->body().results.size() != variables_.size() || body->body().arguments.size() != variables_.size() ||
        condition->body().arguments.size() != variables_.size() || condition->body().results.empty()) {
      return fail(Code::kInvalidArgument, "a loop whose functions take or give other numbers of values");
    }
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      const auto index = static_cast<int>(i);
      TRY(const auto result, graph_.result(*body, index));
      if (result == Output{body, nullptr, index}) {
        variables_[i].role = Role::kInvariant;
        continue;
      }
      TRY(const bool scanned, is_scanned(*body, *condition, result, index));
      if (scanned) variables_[i].role = Role::kScanned;
    }
    return {};
  }

  /// Written at 0, 1, 2 ..., and used in no other way.
  Result<bool> is_scanned(const Scope& body, const Scope& condition, const Output& result, int index) {
    const auto& initial = variables_[static_cast<std::size_t>(index)].initial;
    const bool fresh = is_list(initial) && initial.list->reserved && initial.list->count != nullptr;
    if (!fresh || result.node == nullptr || result.node->op() != "TensorListSetItem") return false;
    if (uses_of(body.body(), index) != 1 || uses_of(condition.body(), index) != 0) return false;
    TRY(const auto list, graph_.resolved_input(*result.scope, *result.node, 0));
    TRY(const auto place, graph_.resolved_input(*result.scope, *result.node, 1));
    if (list != Output{&body, nullptr, index} || place.scope != &body || place.node != nullptr) return false;
    return counts_up(body, place.index);
  }

  /// From 0 by 1 each round.
  Result<bool> counts_up(const Scope& body, int index) {
    if (variables_[static_cast<std::size_t>(index)].initial.known_int() != 0) return false;
    TRY(const auto result, graph_.result(body, index));
    if (result.node == nullptr || (result.node->op() != "AddV2" && result.node->op() != "Add")) return false;
    TRY(const auto first, graph_.resolved_input(*result.scope, *result.node, 0));
    TRY(const auto second, graph_.resolved_input(*result.scope, *result.node, 1));
    const Output argument{&body, nullptr, index};
    if (first != argument && second != argument) return false;
    const auto& other = first == argument ? second : first;
    if (other.node == nullptr || other.node->op() != "Const") return false;
    const auto value = other.node->attr().find("value");
    if (value == other.node->attr().end()) return false;
    TRY(const auto literal, read_literal(value->second.tensor(), other.node->name()));
    return literal.elements() == 1 && integer_at(literal, 0) == 1;
  }

  Status check_carried() {
    for (const auto& variable : variables_) {
      if (variable.role != Role::kCarried || is_list(variable.initial)) continue;
      if (onnx_type(variable.initial.dtype) == 0) return does_not_lower("a loop that changes a variable or a table");
    }
    return {};
  }

  /// The value of a carried variable inside.
  Value carried_input(const Variable& variable) {
    auto& emitter = lowering_.emitter();
    if (!is_list(variable.initial)) return emitter.add_nameless_input(variable.initial.dtype, variable.dims);
    const auto& state = *variable.initial.list;
    auto stack = emitter.add_nameless_input(state.dtype, variable.dims);
    auto list = list_from(stack);
    if (!state.reserved) return list;
    auto inside = *list.list;
    inside.reserved = true;
    list.list = std::make_shared<const TensorListState>(std::move(inside));
    return list;
  }

  /// True when it has to be lowered again.
  Result<bool> lower_body() {
    auto& emitter = lowering_.emitter();
    auto& build = op_.build();
    TRY(const auto* body, graph_.instantiate(op_.scope(), op_.node(), op_.function("body")));
    TRY(const auto* condition, graph_.instantiate(op_.scope(), op_.node(), op_.function("cond")));
    emitter.add_nameless_input(tf::DT_INT64, Dims::of({}));
    emitter.add_nameless_input(tf::DT_BOOL, Dims::of({}));
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      const bool carried = variables_[i].role == Role::kCarried && !unallocated(variables_[i]);
      lowering_.bind({body, nullptr, static_cast<int>(i)},
                     carried ? carried_input(variables_[i]) : variables_[i].initial);
    }
    TRY(auto results, results_of(*body));
    if (poison_) return false;
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      const auto& next = variables_[i].role == Role::kCarried ? results[i] : variables_[i].initial;
      lowering_.bind({condition, nullptr, static_cast<int>(i)}, next);
    }
    TRY(const auto more, graph_.result(*condition, 0));
    TRY(const auto go_on, lowering_.value(more));
    if (go_on.poison) poison_ = true;
    TRY(const bool again, poison_ ? Result<bool>(false) : widen(results));
    if (poison_ || again) return again;
    emitter.add_output("", build.reshape_to(go_on, {}));
    for (const auto role : {Role::kCarried, Role::kScanned}) {
      for (std::size_t i = 0; i < variables_.size(); ++i) {
        if (variables_[i].role == role) emitter.add_output("", is_list(results[i]) ? stack_of(results[i]) : results[i]);
      }
    }
    results_ = std::move(results);
    return false;
  }

  /// A list that has no tensor yet.
  static bool unallocated(const Variable& variable) {
    return is_list(variable.initial) && variable.initial.list->reserved && variable.initial.name.empty();
  }

  Result<std::vector<Value>> results_of(const Scope& body) {
    std::vector<Value> results(variables_.size());
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      if (variables_[i].role == Role::kInvariant) continue;
      TRY(auto output, graph_.result(body, static_cast<int>(i)));
      if (variables_[i].role == Role::kScanned) {
        TRY(output, graph_.resolved_input(*output.scope, *output.node, 2));
      }
      TRY(results[i], lowering_.value(output));
      if (results[i].poison) poison_ = true;
    }
    return results;
  }

  /// Loses what a round does not keep; true when something was lost.
  Result<bool> widen(const std::vector<Value>& results) {
    bool again = false;
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      auto& variable = variables_[i];
      if (variable.role != Role::kCarried) continue;
      if (is_list(variable.initial) != is_list(results[i]))
        return does_not_lower("a loop that changes what a value is");
      if (unallocated(variable)) {
        TRY_STATUS(allocate(variable, results[i]));
        again = true;
        continue;
      }
      const auto dims = common(variable.dims, results[i].dims);
      if (dims == variable.dims) continue;
      variable.dims = dims;
      again = true;
    }
    return again;
  }

  /// A stack for a list that a round writes to, as wide as is known and one wide elsewhere.
  Status allocate(Variable& variable, const Value& written) {
    const auto& element = written.list->element;
    if (!element.ranked || (written.list->reserved && written.name.empty()))
      return does_not_lower("a list of elements of unknown rank");
    Shape sizes = element.sizes;
    for (auto& size : sizes) size = size < 0 ? 1 : size;
    // Outside of the body, whose graph is open now: finish() makes it.
    variable.dims = Dims::any_of(sizes.size() + 1);
    std::copy(element.sizes.begin(), element.sizes.end(), variable.dims.sizes.begin() + 1);
    variable.dims.sizes[0] = written.dims.size(0);
    pending_.emplace_back(&variable, std::move(sizes));
    TensorListState state = *variable.initial.list;
    state.element = element;
    variable.initial.name = kPending;
    variable.initial.list = std::make_shared<const TensorListState>(std::move(state));
    return {};
  }

  void make_pending() {
    auto& build = op_.build();
    for (auto& [variable, sizes] : pending_) {
      const auto state = *variable->initial.list;
      const auto shape = build.concat({*state.count, Build::integers(sizes)}, 0);
      const auto zeros = build.expand(Build::number(state.dtype, 0), shape);
      variable->initial.name = lowering_.emitter().name_of(zeros);
      variable->initial.dims = zeros.dims;
    }
    pending_.clear();
  }

  LoweredValues finish() {
    make_pending();
    auto& build = op_.build();
    TRY(const auto* condition, graph_.instantiate(op_.scope(), op_.node(), op_.function("cond")));
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      lowering_.bind({condition, nullptr, static_cast<int>(i)}, variables_[i].initial);
    }
    TRY(const auto first, graph_.result(*condition, 0));
    TRY(const auto go, lowering_.value(first));
    if (go.poison) return poisoned();
    std::vector<Value> inputs{Build::absent(), build.reshape_to(go, {})};
    std::vector<OnnxResult> results;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      if (variables_[i].role != Role::kCarried) continue;
      const auto& initial = variables_[i].initial;
      inputs.push_back(is_list(initial) ? stack_of(initial) : initial);
      results.push_back({inputs.back().dtype, variables_[i].dims});
      order.push_back(i);
    }
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      if (variables_[i].role != Role::kScanned) continue;
      Shape sizes = results_[i].dims.sizes;
      sizes.insert(sizes.begin(), -1);
      results.push_back({results_[i].dtype, results_[i].dims.ranked ? Dims::of(std::move(sizes)) : Dims::any()});
      order.push_back(i);
    }
    const auto values = lowering_.emitter().emit({"Loop", {{"body", std::move(body_)}}, ""}, inputs, results);
    return outputs(values, order);
  }

  std::vector<Value> outputs(const std::vector<Value>& values, const std::vector<std::size_t>& order) {
    std::vector<Value> outputs;
    for (const auto& variable : variables_) outputs.push_back(variable.initial);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto& variable = variables_[order[i]];
      auto& output = outputs[order[i]];
      if (variable.role == Role::kScanned) {
        output = list_from(filled(values[i], *variable.initial.list->count));
      } else {
        output = is_list(variable.initial) ? list_from(values[i]) : values[i];
      }
    }
    return outputs;
  }

  /// The rounds' elements, and zeros up to as many as were reserved.
  Value filled(const Value& rows, const Value& count) {
    auto& build = op_.build();
    if (!rows.dims.ranked) return rows;
    const auto missing = build.binary("Max", build.sub(count, build.dim(rows, 0)), Build::integers({0}));
    const std::vector<std::int64_t> none(rows.dims.rank(), 0);
    const auto rest = Build::integers(std::vector<std::int64_t>(rows.dims.rank() - 1, 0));
    auto x = rows;
    const bool bare = rows.dtype == tf::DT_HALF || is_narrow(rows.dtype) || rows.dtype == tf::DT_BOOL;
    if (bare) x = build.cast(x, tf::DT_FLOAT);
    x = build.pad(x, Build::integers(none), none.size() == 1 ? missing : build.concat({missing, rest}, 0),
                  Build::number(x.dtype, 0));
    if (const auto known = count.known_int()) x.dims.sizes[0] = *known;
    return build.cast(x, rows.dtype);
  }

  static constexpr const char* kPending = "pending";

  Operation& op_;
  Lowering& lowering_;
  GraphView& graph_;
  std::vector<Variable> variables_;
  std::vector<Value> results_;
  std::vector<std::pair<Variable*, Shape>> pending_;
  lowered_onnx::Graph body_;
  bool poison_ = false;
};

}  // namespace

LoweredValues lower_while(Operation& op) { return Loop(op).lower(); }

}  // namespace protean
