// SPDX-License-Identifier: Apache-2.0
// The graph of a SavedModel seen as if every function were inlined, without copying a node: a Scope is one use of a
// body (the main graph, or a function at one place of call), and resolve() walks from a name to the node that computes
// it, through identities, calls and arguments.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "proto/tensorflow.pb.h"

namespace protean {

class Scope;

/// One output of one node where it is used. `node` null: argument `index` of `scope`, whose value whoever made the
/// scope knows (the body of a loop).
struct Output {
  const Scope* scope = nullptr;
  const tensorflow::NodeDef* node = nullptr;
  int index = 0;
  bool operator==(const Output&) const = default;
  auto operator<=>(const Output&) const = default;
};

/// Nodes by name. For a function also its arguments and results, each in their order.
struct GraphBody {
  const tensorflow::FunctionDef* function = nullptr;
  std::vector<const tensorflow::NodeDef*> nodes;
  std::unordered_map<std::string_view, const tensorflow::NodeDef*> by_name;
  std::unordered_map<std::string_view, int> arguments;
  std::vector<std::string> results;
};

/// One use of a body. `call`: the node of `parent` that uses it; its input `first_input` is the first argument.
/// `bound`: whether arguments are the inputs of `call` (a call) or values of their own (a loop's body).
class Scope {
 public:
  [[nodiscard]] const GraphBody& body() const noexcept { return *body_; }
  [[nodiscard]] const Scope* parent() const noexcept { return parent_; }
  [[nodiscard]] const tensorflow::NodeDef* call() const noexcept { return call_; }
  [[nodiscard]] int depth() const noexcept { return depth_; }
  [[nodiscard]] bool bound() const noexcept { return bound_; }
  /// `a/b`: the nodes of call on the way here and the name of `node`.
  [[nodiscard]] std::string path_of(const tensorflow::NodeDef& node) const;

 private:
  friend class GraphView;
  const GraphBody* body_ = nullptr;
  const Scope* parent_ = nullptr;
  const tensorflow::NodeDef* call_ = nullptr;
  int depth_ = 0;
  bool bound_ = false;
};

/// What a Merge of TF1 chooses by.
struct MergeChoice {
  Output predicate;
  int input_if_true = 0;
};

/// A view of a GraphDef, which must outlive it.  One thread at a time.
class GraphView {
 public:
  explicit GraphView(const tensorflow::GraphDef& graph);

  [[nodiscard]] const Scope& root() const noexcept { return *root_; }
  /// Null when there is no such function.
  [[nodiscard]] const tensorflow::FunctionDef* find_function(const std::string& name) const;

  /// The main graph's "name:index" or "name".  Errors: kInvalidArgument when there is no such node.
  [[nodiscard]] Result<Output> find(std::string_view tensor) const;

  /// Output `index` of `node` (data inputs only, control inputs are not counted).
  /// Errors: kInvalidArgument for a missing input or one that names nothing.
  [[nodiscard]] Result<Output> input(const Scope& scope, const tensorflow::NodeDef& node, int index);
  /// What computes it, beyond identities, calls and arguments; an argument of a scope that is not bound, or an output
  /// in `stops`, is left as it is.
  /// Errors: kInvalidArgument for cycles and names of nothing; kUnimplemented when functions nest too deep.
  [[nodiscard]] Result<Output> resolve(Output output);
  [[nodiscard]] Result<Output> resolved_input(const Scope& scope, const tensorflow::NodeDef& node, int index);
  /// Result `index` of a function's scope, resolved.
  [[nodiscard]] Result<Output> result(const Scope& scope, int index);
  [[nodiscard]] static int input_count(const tensorflow::NodeDef& node);

  /// Outputs at which resolve() ends: what is fed.
  void stop_at(const Output& output) { stops_.push_back(output); }

  /// The condition of a Merge whose inputs come from the two sides of one Switch; nullopt for one of a loop.
  [[nodiscard]] Result<std::optional<MergeChoice>> choice_of(const Scope& scope, const tensorflow::NodeDef& merge);

  /// The scope of a call, always the same one for the same place. Null when `node` is no call of a known function.
  [[nodiscard]] Result<const Scope*> called(const Scope& scope, const tensorflow::NodeDef& node);
  /// A new scope for `function`, whose arguments have values of their own.
  [[nodiscard]] Result<const Scope*> instantiate(const Scope& scope, const tensorflow::NodeDef& node,
                                                 const std::string& function);

 private:
  Result<Output> step(const Output& output, bool& moved);
  Result<int> live_input(const Scope& scope, const tensorflow::NodeDef& merge);
  std::optional<std::pair<Output, bool>> find_switch(const Scope& scope, const tensorflow::NodeDef& node);
  Result<int> constant_choice(const Scope& scope, const tensorflow::NodeDef& merge);
  Result<Output> parse_input(const Scope& scope, std::string_view text) const;
  const GraphBody& body_of(const tensorflow::FunctionDef& function);
  Result<const Scope*> add_scope(const Scope& parent, const tensorflow::NodeDef& call, const std::string& function,
                                 bool bound);

  const tensorflow::GraphDef& graph_;
  std::unordered_map<std::string, const tensorflow::FunctionDef*> functions_;
  std::unordered_map<const tensorflow::FunctionDef*, std::unique_ptr<GraphBody>> bodies_;
  GraphBody root_body_;
  std::unique_ptr<Scope> root_;
  std::vector<std::unique_ptr<Scope>> scopes_;
  std::map<std::pair<const Scope*, const tensorflow::NodeDef*>, const Scope*> calls_;
  std::vector<Output> stops_;
  int choosing_ = 0;
  std::size_t walked_ = 0;
  std::map<std::pair<const Scope*, const tensorflow::NodeDef*>, int> live_inputs_;
};

/// Operations whose output is their input, as far as answers go.
[[nodiscard]] bool passes_through(std::string_view operation);

/// The flat number of output `argument`:`index` of an operation, for those with several output arguments.
/// Source: the registered operations of TensorFlow 2.20.
[[nodiscard]] int output_number(std::string_view operation, std::string_view argument, int index);

}  // namespace protean
