// SPDX-License-Identifier: Apache-2.0
// Two walks: forwards from what is called to every node that it needs, and backwards from each file operation to where
// the name of its file comes from. Functions are visited once, whoever calls them, so that neither can take for ever.
#include "backends/tensorflow/graph_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/text.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr std::size_t kVisitsMax = 50'000'000;
constexpr std::size_t kStepsMax = 100'000;

/// Which input of an operation is the name of a file that it reads.
constexpr std::pair<std::string_view, int> kReaders[] = {{"RestoreV2", 0},
                                                         {"Restore", 0},
                                                         {"RestoreSlice", 0},
                                                         {"InitializeTableFromTextFile", 1},
                                                         {"InitializeTableFromTextFileV2", 1}};

std::optional<int> file_input(std::string_view operation) {
  for (const auto& [name, input] : kReaders) {
    if (name == operation) return input;
  }
  return std::nullopt;
}

/// `^a`, `a:0` and `a:out:0` are all of node `a`.
std::string_view node_of(std::string_view input) {
  if (input.starts_with('^')) input.remove_prefix(1);
  return input.substr(0, input.find(':'));
}

/// The main graph (`function` null) or a function.
struct Body {
  const tf::FunctionDef* function = nullptr;
  std::unordered_map<std::string_view, const tf::NodeDef*> nodes;
  std::unordered_map<std::string_view, int> arguments;
  /// Where it is called: for each, the calling body and node.
  std::vector<std::pair<const Body*, const tf::NodeDef*>> sites;
};

class GraphCheck {
 public:
  explicit GraphCheck(const tf::MetaGraphDef& graph) : graph_(graph) {
    for (const auto& node : graph.graph_def().node()) main_.nodes.emplace(node.name(), &node);
    for (const auto& function : graph.graph_def().library().function()) {
      auto& body = functions_[function.signature().name()];
      body.function = &function;
      for (const auto& node : function.node_def()) body.nodes.emplace(node.name(), &node);
      for (int i = 0; i < function.signature().input_arg_size(); ++i) {
        body.arguments.emplace(function.signature().input_arg(i).name(), i);
      }
    }
    for (const auto& asset : graph.asset_file_def()) given_.emplace(node_of(asset.tensor_info().name()));
    given_.emplace(node_of(graph.saver_def().filename_tensor_name()));
    given_.erase("");
  }

  Status run() {
    for (const auto& [name, signature] : graph_.signature_def()) {
      std::set<std::string_view> stops;
      for (const auto& [key, input] : signature.inputs()) stops.emplace(node_of(input.name()));
      std::vector<std::string_view> roots;
      for (const auto& [key, output] : signature.outputs()) roots.push_back(node_of(output.name()));
      TRY_STATUS(visit_main(std::move(roots), stops));
    }
    std::vector<std::string_view> roots = {node_of(graph_.saver_def().restore_op_name())};
    for (const char* collection : {"saved_model_main_op", "legacy_init_op", "table_initializer"}) {
      const auto found = graph_.collection_def().find(collection);
      if (found == graph_.collection_def().end()) continue;
      for (const auto& node : found->second.node_list().value()) roots.push_back(node_of(node));
    }
    TRY_STATUS(visit_main(std::move(roots), {node_of(graph_.saver_def().filename_tensor_name())}));
    while (!pending_.empty()) {
      const Body* body = pending_.back();
      pending_.pop_back();
      for (const auto& node : body->function->node_def()) TRY_STATUS(visit(*body, node));
    }
    for (const auto& [body, node] : readers_) {
      std::set<std::pair<const Body*, int>> seen;
      steps_ = 0;
      TRY_STATUS(check_source(*body, *node, *file_input(node->op()), seen));
    }
    return {};
  }

 private:
  Status visit_main(std::vector<std::string_view> rest, const std::set<std::string_view>& stops) {
    std::unordered_set<std::string_view> seen;
    while (!rest.empty()) {
      const auto name = rest.back();
      rest.pop_back();
      if (stops.contains(name) || !seen.insert(name).second) continue;
      const auto found = main_.nodes.find(name);
      if (found == main_.nodes.end()) continue;  // the library says so itself
      TRY_STATUS(visit(main_, *found->second));
      for (const auto& input : found->second->input()) rest.push_back(node_of(input));
      if (rest.size() > kVisitsMax) return fail(Code::kInvalidArgument, "saved_model.pb: the graph is too large");
    }
    return {};
  }

  Status visit(const Body& body, const tf::NodeDef& node) {
    if (++visits_ > kVisitsMax) return fail(Code::kInvalidArgument, "saved_model.pb: the graph is too large");
    if (is_refused_operation(node.op()) && !harmless(node)) {
      return refuse(body, node, "reads, writes or runs what is outside the model's folder");
    }
    if (node.op() == "PrintV2" && attribute(node, "output_stream").starts_with("file")) {
      return refuse(body, node, "writes a file");
    }
    if (file_input(node.op()) && visited_.insert(&node).second) readers_.emplace_back(&body, &node);
    add_call(body, node, node.op());
    for (const auto& [name, value] : node.attr()) {
      if (value.has_func()) add_call(body, node, value.func().name());
      for (const auto& function : value.list().func()) add_call(body, node, function.name());
    }
    return {};
  }

  static std::string_view attribute(const tf::NodeDef& node, const char* name) {
    const auto found = node.attr().find(name);
    return found == node.attr().end() ? std::string_view() : std::string_view(found->second.s());
  }

  /// The vocabulary may be a file, or a list in the graph.
  static bool harmless(const tf::NodeDef& node) {
    return node.op() == "FixedUnigramCandidateSampler" && attribute(node, "vocab_file").empty();
  }

  void add_call(const Body& body, const tf::NodeDef& node, const std::string& function) {
    const auto found = functions_.find(function);
    if (found == functions_.end()) return;
    if (reached_.insert(&found->second).second) pending_.push_back(&found->second);
    if (calls_.emplace(&node, &found->second).second) found->second.sites.emplace_back(&body, &node);
  }

  /// That input `index` of `node` is a name the loader gives, and no other.
  Status check_source(const Body& body, const tf::NodeDef& node, int index,
                      std::set<std::pair<const Body*, int>>& seen) {
    const tf::NodeDef* at = &node;
    for (int place = index;; place = 0) {
      if (++steps_ > kStepsMax || place >= at->input_size()) break;
      const auto name = node_of(at->input(place));
      if (&body == &main_ && given_.contains(name)) return {};
      const auto argument = body.arguments.find(name);
      if (argument != body.arguments.end()) return check_callers(body, node, argument->second, seen);
      const auto found = body.nodes.find(name);
      if (found == body.nodes.end()) break;
      if (found->second->op() == "ReadVariableOp" && &body == &main_) return check_variable(node, *found->second, seen);
      if (found->second->op() != "Identity") break;
      at = found->second;
    }
    return refuse(body, node, kFromElsewhere);
  }

  /// Exporters keep the name of an asset in a variable of its own: only what is assigned in the main graph is in it
  /// when nothing else can get at it.
  Status check_variable(const tf::NodeDef& reader, const tf::NodeDef& read,
                        std::set<std::pair<const Body*, int>>& seen) {
    const auto variable = main_.nodes.find(read.input_size() > 0 ? node_of(read.input(0)) : std::string_view());
    bool assigned = false;
    if (variable != main_.nodes.end() && variable->second->op() == "VarHandleOp" && is_only_one(*variable->second)) {
      for (const auto& node : graph_.graph_def().node()) {
        if (std::ranges::none_of(node.input(), [&](const auto& input) { return is_value(input, variable->first); })) {
          continue;
        }
        if (node.op() == "ReadVariableOp" || node.op() == "VarIsInitializedOp") continue;
        if (node.op() != "AssignVariableOp") return refuse(main_, reader, kFromElsewhere);
        TRY_STATUS(check_source(main_, node, 1, seen));
        assigned = true;
      }
    }
    if (!assigned) return refuse(main_, reader, kFromElsewhere);
    return {};
  }

  static bool is_value(std::string_view input, std::string_view node) {
    return !input.starts_with('^') && node_of(input) == node;
  }

  /// That no other node stands for the same variable: they are shared by name.
  bool is_only_one(const tf::NodeDef& variable) const {
    const auto name_of = [](const tf::NodeDef& node) {
      const auto shared = attribute(node, "shared_name");
      return shared.empty() ? std::string_view(node.name()) : shared;
    };
    const auto is_other = [&](const tf::NodeDef& node) {
      return &node != &variable && node.op() == "VarHandleOp" && name_of(node) == name_of(variable);
    };
    return std::ranges::none_of(graph_.graph_def().node(), is_other) &&
           std::ranges::none_of(graph_.graph_def().library().function(), [&](const auto& function) {
             return std::ranges::any_of(function.node_def(), is_other);
           });
  }

  Status check_callers(const Body& body, const tf::NodeDef& reader, int argument,
                       std::set<std::pair<const Body*, int>>& seen) {
    if (!seen.emplace(&body, argument).second) return {};
    if (seen.size() > kMaxDepth) return refuse(body, reader, "takes the name of a file from too far away");
    for (const auto& [caller, node] : body.sites) {
      const bool plain = node->op() == "PartitionedCall" || node->op() == "StatefulPartitionedCall" ||
                         node->op() == body.function->signature().name();
      if (!plain) return refuse(body, reader, "takes the name of a file from " + printable(node->op()));
      TRY_STATUS(check_source(*caller, *node, argument, seen));
    }
    return {};
  }

  static Status refuse(const Body& body, const tf::NodeDef& node, const std::string& why) {
    const std::string where =
        body.function == nullptr ? "" : " of function '" + printable(body.function->signature().name()) + "'";
    return fail(Code::kInvalidArgument, fmt::format("saved_model.pb: operation {} (node '{}'{}) {}; this is refused",
                                                    printable(node.op()), printable(node.name()), where, why));
  }

  static constexpr std::size_t kMaxDepth = 256;
  static constexpr const char* kFromElsewhere =
      "takes the name of a file from something else than an asset of the model";

  const tf::MetaGraphDef& graph_;
  Body main_;
  std::map<std::string, Body> functions_;
  std::unordered_set<std::string_view> given_;
  std::set<const Body*> reached_;
  std::vector<const Body*> pending_;
  std::set<std::pair<const tf::NodeDef*, const Body*>> calls_;
  std::unordered_set<const tf::NodeDef*> visited_;
  std::vector<std::pair<const Body*, const tf::NodeDef*>> readers_;
  std::size_t visits_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

Status check_graph(const tf::MetaGraphDef& graph) {
  for (const auto& asset : graph.asset_file_def()) {
    const std::string& name = asset.filename();
    if (name.empty() || name.starts_with('/') || name.find("..") != std::string::npos ||
        name.find("://") != std::string::npos) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("saved_model.pb: asset '{}' is outside the model's folder; this is refused", printable(name)));
    }
  }
  return GraphCheck(graph).run();
}

}  // namespace protean
