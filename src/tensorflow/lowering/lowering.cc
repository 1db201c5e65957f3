// SPDX-License-Identifier: Apache-2.0
// The walk keeps its own stack: graphs are deeper than a thread's stack is. Only bodies of loops and branches nest in
// calls, and those are bounded by GraphView.
#include "tensorflow/lowering/lowering.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

#include "base/text.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr std::size_t kNodesMax = 2'000'000;
constexpr std::size_t kNamedMax = 40;

Value poison() {
  Value value;
  value.poison = true;
  return value;
}

/// Operations that change something that outlives the run, or that answer differently each time.
bool has_effect(const std::string& operation) {
  static constexpr std::array kPrefixes = std::to_array<std::string_view>(
      {"Assign", "ResourceScatter", "ResourceApply", "LookupTableInsert", "LookupTableRemove", "LookupTableImport",
       "Scatter", "CountUpTo", "ResourceCountUpTo", "QueueEnqueue", "StackPush", "RngReadAndSkip", "RngSkip",
       "InitializeTable", "WriteFile", "SaveV2"});
  if (operation == "ScatterNd" || operation == "ScatterNdNonAliasingAdd") return false;
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](auto prefix) { return operation.compare(0, prefix.size(), prefix) == 0; });
}

/// Operations that are run for their effect on the run alone.
bool only_checks(const std::string& operation) {
  static constexpr std::array kNames = std::to_array<std::string_view>(
      {"NoOp", "Assert", "PartitionedCall", "StatefulPartitionedCall", "Print", "PrintV2", "StringFormat"});
  return std::find(kNames.begin(), kNames.end(), operation) != kNames.end();
}

}  // namespace

Build& build_of(Lowering& lowering) { return lowering.build(); }

const Value* Lowering::known(const Output& output) const {
  if (const auto bound = bound_.find(output); bound != bound_.end()) return &bound->second;
  if (output.node == nullptr) return nullptr;
  const auto found = lowered_.find({output.scope, output.node});
  if (found == lowered_.end()) return nullptr;
  static const Value kPoison = poison();
  const auto& values = found->second;
  const auto index = static_cast<std::size_t>(output.index);
  return output.index >= 0 && index < values.size() ? &values[index] : &kPoison;
}

Result<Value> Lowering::value(Output wanted) {
  TRY(wanted, graph_.resolve(wanted));
  std::vector<Task> tasks{{wanted}};
  while (!tasks.empty()) {
    auto& task = tasks.back();
    if (known(task.output) != nullptr) {
      tasks.pop_back();
      continue;
    }
    if (task.output.node == nullptr) {
      return fail(Code::kInvalidArgument,
                  "argument " + std::to_string(task.output.index) + " of a function has no value");
    }
    const auto output = task.output;
    if (!task.waiting) {
      if (!started_.emplace(NodeKey{output.scope, output.node}, true).second) {
        return fail(Code::kInvalidArgument,
                    "the graph goes in circles at '" + printable(output.scope->path_of(*output.node)) + "'");
      }
      if (started_.size() > kNodesMax) return fail(Code::kUnimplemented, "the graph has too many operations");
      task.waiting = true;
      TRY_STATUS(ask_for_inputs(output, tasks));
      continue;
    }
    tasks.pop_back();
    TRY_STATUS(lower_node(output));
  }
  return *known(wanted);
}

Status Lowering::ask_for_inputs(const Output& output, std::vector<Task>& tasks) {
  // The way back of a loop of TF1, which does not lower.
  if (output.node->op() == "NextIteration" || output.node->op() == "RefNextIteration") return {};
  // Inputs of what does not lower at all are still walked: more may have to be named.
  const int count = GraphView::input_count(*output.node);
  for (int i = count; i-- > 0;) {
    TRY(const auto input, graph_.resolved_input(*output.scope, *output.node, i));
    if (known(input) == nullptr) tasks.push_back({input});
  }
  return {};
}

Result<std::vector<Value>> Lowering::inputs_of(const Output& output) {
  std::vector<Value> inputs;
  const int count = GraphView::input_count(*output.node);
  for (int i = 0; i < count; ++i) {
    TRY(const auto input, graph_.resolved_input(*output.scope, *output.node, i));
    const auto* value = known(input);
    inputs.push_back(value == nullptr ? poison() : *value);
  }
  return inputs;
}

Status Lowering::lower_node(const Output& output) {
  const auto& node = *output.node;
  lowered_[{output.scope, output.node}];
  const auto* operation = find_lowered_operation(node.op());
  if (operation == nullptr) {
    refuse(*output.scope, node, "");
    return refuse_inside(*output.scope, node);
  }
  TRY(auto inputs, inputs_of(output));
  for (const auto& input : inputs) {
    if (input.poison) return refuse_inside(*output.scope, node);
    const bool handle = input.dtype == tf::DT_RESOURCE || input.dtype == tf::DT_VARIANT;
    if (handle && !operation->takes_handles) {
      refuse(*output.scope, node, "of a variable or list");
      return {};
    }
  }
  Operation context(*output.scope, node, std::move(inputs), *this);
  auto result = operation->lower(context);
  if (context.has_too_few_inputs()) {
    return fail(Code::kInvalidArgument, "node '" + printable(output.scope->path_of(node)) + "' (" +
                                            printable(node.op()) +
                                            ") has too few inputs: " + std::to_string(context.count()));
  }
  if (!result) {
    if (result.error().code != Code::kUnimplemented) {
      return fail(result.error().code, "node '" + printable(output.scope->path_of(node)) + "' (" +
                                           printable(node.op()) + "): " + result.error().message);
    }
    refuse(*output.scope, node, result.error().message);
    return {};
  }
  lowered_[{output.scope, output.node}] = *std::move(result);
  return {};
}

Value Lowering::add_feature(ParsedFeature feature, const Dims& dims) {
  auto value = emitter_.add_nameless_input(feature.dtype, dims);
  feature.tensor = value.name;
  emitter_.need_not_take(feature.tensor);
  emitter_.need_not_take(feature.input);
  features_.push_back(std::move(feature));
  return value;
}

Status Lowering::count_constant(std::size_t size, std::size_t given) {
  filled_bytes_ += size > given ? size - given : 0;
  if (filled_bytes_ <= kFilledBytesMax) return {};
  return fail(Code::kInvalidArgument, "constants that give few of their values, together above 256 MiB");
}

/// A loop or branch that is never reached, since what comes before it does not lower, may hold more to be named.
Status Lowering::refuse_inside(const Scope& scope, const tf::NodeDef& node) {
  std::vector<NodeKey> pending{{&scope, &node}};
  std::unordered_set<const tf::FunctionDef*> seen;
  while (!pending.empty()) {
    const auto [place, outer] = pending.back();
    pending.pop_back();
    for (const auto& [name, value] : outer->attr()) {
      const auto* function = graph_.find_function(value.func().name());
      if (function == nullptr || !seen.insert(function).second) continue;
      TRY(const auto* inner, graph_.instantiate(*place, *outer, value.func().name()));
      for (const auto* part : inner->body().nodes) {
        const bool known = find_lowered_operation(part->op()) != nullptr || passes_through(part->op()) ||
                           graph_.find_function(part->op()) != nullptr || only_checks(part->op());
        if (!known) refuse(*inner, *part, "");
        pending.emplace_back(inner, part);
      }
    }
  }
  return {};
}

void Lowering::refuse(const Scope& scope, const tf::NodeDef& node, const std::string& reason) {
  auto& refusal = refused_[node.op()];
  if (refusal.nodes.empty()) refusal.reason = reason;
  auto path = scope.path_of(node);
  if (std::find(refusal.nodes.begin(), refusal.nodes.end(), path) == refusal.nodes.end()) {
    refusal.nodes.push_back(std::move(path));
  }
}

std::string Lowering::refusal() const {
  std::string text = "operations that do not lower:";
  std::size_t named = 0;
  for (const auto& [operation, refusal] : refused_) {
    if (named == kNamedMax) {
      text += ", and " + std::to_string(refused_.size() - named) + " more";
      break;
    }
    text += named++ == 0 ? " " : ", ";
    text += printable(operation) +
            (refusal.nodes.size() == 1 ? " (node " : " (" + std::to_string(refusal.nodes.size()) + " nodes, first ");
    text += printable(refusal.nodes.front(), 200);
    text += refusal.reason.empty() ? ")" : ": " + printable(refusal.reason, 200) + ")";
  }
  return text;
}

Status Lowering::effects_of(const NodeKey& key, std::vector<NodeKey>& pending) {
  const auto& [scope, node] = key;
  if (has_effect(node->op())) refuse(*scope, *node, "changes what outlives the request");
  if (node->op() == "Assert") left_out_checks_ = true;
  if (node->op() == "Merge") {
    // What stands on the side that a constant rules out is not run.
    TRY(const auto live, graph_.resolve({scope, node, 0}));
    if (live.node != node) {
      if (live.node != nullptr) pending.emplace_back(live.scope, live.node);
      return {};
    }
  }
  for (const auto& input : node->input()) {
    const bool control = !input.empty() && input[0] == '^';
    const auto name = split(std::string_view(input).substr(control ? 1 : 0), ':').front();
    const auto found = scope->body().by_name.find(name);
    if (found != scope->body().by_name.end()) pending.emplace_back(scope, found->second);
  }
  return {};
}

Status Lowering::refuse_effects() {
  std::vector<NodeKey> pending;
  for (const auto& [key, ignored] : started_) {
    pending.push_back(key);
    // Whoever calls a function runs all of it.
    for (const auto* scope = key.first; scope->parent() != nullptr; scope = scope->parent()) {
      pending.emplace_back(scope->parent(), scope->call());
    }
  }
  std::unordered_set<NodeKey, NodeKeyHash> seen;
  std::unordered_set<const Scope*> scopes;
  while (!pending.empty()) {
    const auto key = pending.back();
    pending.pop_back();
    if (!seen.insert(key).second) continue;
    TRY_STATUS(effects_of(key, pending));
    TRY(const auto* callee, graph_.called(*key.first, *key.second));
    for (const auto* scope : {key.first->parent() == nullptr ? nullptr : key.first, callee}) {
      if (scope == nullptr || !scopes.insert(scope).second) continue;
      for (const auto* node : scope->body().nodes) pending.emplace_back(scope, node);
    }
  }
  return {};
}

}  // namespace protean
