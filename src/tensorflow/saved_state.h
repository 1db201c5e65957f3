// SPDX-License-Identifier: Apache-2.0
// What a SavedModel holds beside its graph: the values of variables and the contents of lookup tables. Both are found
// by following the operations that would fill them: the restore operation and the initialisers.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tensorflow/checkpoint.h"
#include "tensorflow/graph.h"
#include "tensorflow/literal.h"
#include "tensorflow/lookup_table.h"

namespace protean {

/// Name under which a variable's or table's node is known to the process; empty when `node` is neither.
[[nodiscard]] std::string resource_key(const tensorflow::NodeDef& node);

/// Of one model.  One thread at a time; `graph` must outlive it.
class SavedState {
 public:
  /// Errors: kInvalidArgument for a broken checkpoint or graph.
  static Result<SavedState> open(const std::filesystem::path& folder, const tensorflow::MetaGraphDef& meta,
                                 GraphView& graph);

  /// The value of the variable that `node` makes.
  /// Errors: kInvalidArgument when nothing fills it; those of Checkpoint::read().
  [[nodiscard]] Result<std::shared_ptr<const Literal>> variable(const tensorflow::NodeDef& node);
  /// The contents of the table that `node` makes.
  /// Errors: kUnimplemented when it is filled in a way that is not followed; kInvalidArgument when nothing fills it.
  [[nodiscard]] Result<std::shared_ptr<const LookupTable>> table(const tensorflow::NodeDef& node);

 private:
  /// Where an assignment or an import stands.
  struct Place {
    const Scope* scope = nullptr;
    const tensorflow::NodeDef* node = nullptr;
  };

  SavedState(std::filesystem::path folder, const tensorflow::MetaGraphDef& meta, GraphView& graph,
             Checkpoint checkpoint)
      : folder_(std::move(folder)), meta_(&meta), graph_(&graph), checkpoint_(std::move(checkpoint)) {}

  Status follow(const std::string& node);
  Status visit(const Scope& scope, const tensorflow::NodeDef& node, std::vector<Place>& pending);
  Status note_filled(const Scope& scope, const tensorflow::NodeDef& node);
  Result<Literal> value_of(const Output& output, int depth = 0);
  Result<Literal> restored(const Output& output);
  Result<Literal> by_object_graph(const std::string& key);
  Status read_object_graph();
  Result<LookupTable> read_table(const tensorflow::NodeDef& table, const Place& place);
  Result<LookupTable> read_text_table(const tensorflow::NodeDef& table, const Place& place);
  Result<std::string> asset_of(Output output);

  std::filesystem::path folder_;
  const tensorflow::MetaGraphDef* meta_;
  GraphView* graph_;
  Checkpoint checkpoint_;
  std::set<std::pair<const Scope*, const tensorflow::NodeDef*>> visited_;
  std::unordered_map<std::string, Place> filled_;
  std::map<std::string, std::shared_ptr<const Literal>> variables_;
  std::map<std::string, std::shared_ptr<const LookupTable>> tables_;
  bool object_graph_read_ = false;
  std::unordered_map<std::string, std::string> keys_by_name_;
};

}  // namespace protean
