// SPDX-License-Identifier: Apache-2.0
// Lowers what is asked for and what that needs, each node once. A node that does not lower poisons what depends on it
// and the walk goes on, so that the answer names all of them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tensorflow/graph.h"
#include "tensorflow/lowering/build.h"
#include "tensorflow/lowering/emitter.h"
#include "tensorflow/lowering/operation.h"
#include "tensorflow/parsed_feature.h"
#include "tensorflow/saved_state.h"

namespace protean {

/// Of one signature.  Not thread-safe.
class Lowering {
 public:
  Lowering(GraphView& graph, SavedState& state) : graph_(graph), state_(state), build_(emitter_) {}

  [[nodiscard]] GraphView& graph() noexcept { return graph_; }
  [[nodiscard]] SavedState& state() noexcept { return state_; }
  [[nodiscard]] Emitter& emitter() noexcept { return emitter_; }
  [[nodiscard]] Build& build() noexcept { return build_; }

  /// Gives an output, or the argument of a scope that is not bound, its value.
  void bind(const Output& output, Value value) { bound_[output] = std::move(value); }

  /// The value of `output`, with everything it depends on.
  /// Errors: kInvalidArgument for a broken graph; what does not lower is a poisoned value instead.
  [[nodiscard]] Result<Value> value(Output output);

  /// A new input of the ONNX model, of shape `dims`, for what is read out of Examples. Requires the outermost graph and
  /// that `feature.input` is an input of it. Fills in `feature.tensor`.
  Value add_feature(ParsedFeature feature, const Dims& dims);
  [[nodiscard]] const std::vector<ParsedFeature>& features() const noexcept { return features_; }

  /// Counts a constant of `size` bytes of which `given` stand in the file.
  /// Errors: kInvalidArgument when too much has been filled in.
  [[nodiscard]] Status count_constant(std::size_t size, std::size_t given);

  /// Notes that `node` does not lower.
  void refuse(const Scope& scope, const tensorflow::NodeDef& node, const std::string& reason);
  /// Nodes that change variables or tables whenever the signature is run: they do not lower either.
  Status refuse_effects();
  [[nodiscard]] bool refused() const noexcept { return !refused_.empty(); }
  /// `operations that do not lower: Foo (node a/b), Bar (3 nodes, first c)`.
  [[nodiscard]] std::string refusal() const;
  /// True when checks of the graph (Assert) were left out.
  [[nodiscard]] bool left_out_checks() const noexcept { return left_out_checks_; }

 private:
  struct Task {
    Output output;
    bool waiting = false;  // its inputs have been asked for
  };
  using NodeKey = std::pair<const Scope*, const tensorflow::NodeDef*>;
  struct NodeKeyHash {
    std::size_t operator()(const NodeKey& key) const noexcept {
      return std::hash<const void*>()(key.first) * 31 + std::hash<const void*>()(key.second);
    }
  };

  [[nodiscard]] const Value* known(const Output& output) const;
  Status ask_for_inputs(const Output& output, std::vector<Task>& tasks);
  Status lower_node(const Output& output);
  Result<std::vector<Value>> inputs_of(const Output& output);
  Status refuse_inside(const Scope& scope, const tensorflow::NodeDef& node);
  Status effects_of(const NodeKey& key, std::vector<NodeKey>& pending);

  struct Refusal {
    std::string reason;
    std::vector<std::string> nodes;
  };

  GraphView& graph_;
  SavedState& state_;
  Emitter emitter_;
  Build build_;
  std::map<Output, Value> bound_;
  std::unordered_map<NodeKey, std::vector<Value>, NodeKeyHash> lowered_;
  std::unordered_map<NodeKey, bool, NodeKeyHash> started_;
  std::map<std::string, Refusal> refused_;
  bool left_out_checks_ = false;
  std::vector<ParsedFeature> features_;
  std::size_t filled_bytes_ = 0;
};

}  // namespace protean
