// SPDX-License-Identifier: Apache-2.0
// The main graph is walked backwards from what a signature fetches; of a function that is called all nodes count, for
// TensorFlow keeps those with effects whatever is asked for.
#include "backends/tensorflow/stateful.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace protean {
namespace {

namespace tf = tensorflow;

using Nodes = google::protobuf::RepeatedPtrField<tf::NodeDef>;

/// Names that begin so.
constexpr auto kWriters = std::to_array<std::string_view>({
    "AccumulatorApplyGradient",
    "AccumulatorTakeGradient",
    "AddManySparseToTensorsMap",
    "AddSparseToTensorsMap",
    "Apply",
    "Assign",
    "Barrier",
    "CountUpTo",
    "IteratorGetNext",
    "LookupTableImport",
    "LookupTableInsert",
    "LookupTableRemove",
    "MapClear",
    "MapIncomplete",
    "MapStage",
    "MapUnstage",
    "OrderedMap",
    "QueueClose",
    "QueueDequeue",
    "QueueEnqueue",
    "ResourceAccumulator",
    "ResourceApply",
    "ResourceCountUpTo",
    "ResourceScatter",
    "ResourceSparseApply",
    "ResourceStridedSliceAssign",
    "Scatter",
    "SparseAccumulator",
    "SparseApply",
    "Stage",
    "StridedSliceAssign",
    "TakeManySparseFromTensorsMap",
    "Unstage",
});
/// Begin so and write to nothing.
constexpr auto kPure = std::to_array<std::string_view>(
    {"ScatterNd", "ScatterNdNonAliasingAdd", "BarrierIncompleteSize", "BarrierReadySize", "MapIncompleteSize",
     "OrderedMapSize", "OrderedMapIncompleteSize", "OrderedMapPeek", "StageSize", "StagePeek"});

std::string_view node_name_of(std::string_view input) {
  if (input.starts_with('^')) input.remove_prefix(1);
  return input.substr(0, input.find(':'));
}

/// What one signature reaches.
class Reach {
 public:
  using NodesByName = std::unordered_map<std::string_view, const tf::NodeDef*>;
  using FunctionsByName = std::unordered_map<std::string_view, const tf::FunctionDef*>;

  Reach(const NodesByName& nodes, const FunctionsByName& functions) : nodes_(nodes), functions_(functions) {}

  bool writes(const PlannedFunction& function) {
    std::unordered_set<std::string_view> seen;
    for (const auto& input : function.inputs) seen.insert(node_name_of(input));
    std::vector<std::string_view> rest;
    for (const auto& output : function.outputs) rest.push_back(node_name_of(output));
    while (!rest.empty()) {
      const auto name = rest.back();
      rest.pop_back();
      const auto found = nodes_.find(name);
      if (found == nodes_.end() || !seen.insert(name).second) continue;
      if (writes(*found->second)) return true;
      for (const auto& input : found->second->input()) rest.push_back(node_name_of(input));
    }
    return calls_write();
  }

 private:
  /// Notes the functions that the node calls.
  bool writes(const tf::NodeDef& node) {
    if (is_stateful_operation(node.op())) return true;
    call(node.op());
    for (const auto& [name, value] : node.attr()) {
      if (value.has_func()) call(value.func().name());
      for (const auto& function : value.list().func()) call(function.name());
    }
    return false;
  }

  void call(const std::string& name) {
    const auto found = functions_.find(name);
    if (found != functions_.end() && called_.insert(found->second).second) pending_.push_back(found->second);
  }

  bool calls_write() {
    while (!pending_.empty()) {
      const auto* function = pending_.back();
      pending_.pop_back();
      const Nodes& nodes = function->node_def();
      if (std::any_of(nodes.begin(), nodes.end(), [this](const auto& node) { return writes(node); })) return true;
    }
    return false;
  }

  const NodesByName& nodes_;
  const FunctionsByName& functions_;
  std::unordered_set<const tf::FunctionDef*> called_;
  std::vector<const tf::FunctionDef*> pending_;
};

}  // namespace

bool is_stateful_operation(std::string_view operation) noexcept {
  return std::ranges::find(kPure, operation) == kPure.end() &&
         std::ranges::any_of(kWriters, [&](auto prefix) { return operation.starts_with(prefix); });
}

void mark_stateful(const tf::MetaGraphDef& graph, PlannedFunctions& planned) {
  Reach::NodesByName nodes;
  for (const auto& node : graph.graph_def().node()) nodes.emplace(node.name(), &node);
  Reach::FunctionsByName functions;
  for (const auto& function : graph.graph_def().library().function()) {
    functions.emplace(function.signature().name(), &function);
  }
  for (auto& function : planned.functions) {
    if (function.callable()) function.signature.stateful = Reach(nodes, functions).writes(function);
  }
}

}  // namespace protean
