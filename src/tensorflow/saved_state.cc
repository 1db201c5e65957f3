// SPDX-License-Identifier: Apache-2.0
// Everything that the restore operation or an initialiser reaches, through control inputs and functions, is looked at
// once; values are read when they are asked for.
#include "tensorflow/saved_state.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "tensorflow/meta_graph.h"
#include "tensorflow/text_table.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr const char* kObjectGraph = "_CHECKPOINTABLE_OBJECT_GRAPH";
constexpr std::uint64_t kAssetBytesMax = std::uint64_t{256} << 20U;
constexpr int kValueDepthMax = 32;
constexpr std::size_t kVisitedMax = 5'000'000;

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// Operations that fill the resource that their first input is.
bool fills(const std::string& operation) {
  return is_one_of(operation,
                   {"AssignVariableOp", "Assign", "LookupTableImport", "LookupTableImportV2", "InitializeTable",
                    "InitializeTableV2", "InitializeTableFromTextFile", "InitializeTableFromTextFileV2"});
}

std::string attribute_text(const tf::NodeDef& node, const std::string& name) {
  const auto found = node.attr().find(name);
  return found == node.attr().end() ? std::string() : found->second.s();
}

std::vector<std::string> initialisers_of(const tf::MetaGraphDef& meta) {
  std::vector<std::string> names;
  if (const auto init = meta.signature_def().find("__saved_model_init_op"); init != meta.signature_def().end()) {
    for (const auto& [key, info] : init->second.outputs()) names.push_back(info.name());
  }
  for (const auto* collection : {"saved_model_main_op", "main_op", "legacy_init_op", "table_initializer"}) {
    const auto found = meta.collection_def().find(collection);
    if (found == meta.collection_def().end()) continue;
    for (const auto& name : found->second.node_list().value()) names.push_back(name);
  }
  return names;
}

}  // namespace

std::string resource_key(const tf::NodeDef& node) {
  if (is_one_of(node.op(), {"VarHandleOp", "VariableV2", "Variable"})) {
    const auto shared = attribute_text(node, "shared_name");
    return "variable " + (shared.empty() ? node.name() : shared);
  }
  if (is_one_of(node.op(), {"HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2",
                            "MutableDenseHashTable", "MutableDenseHashTableV2"})) {
    const auto shared = attribute_text(node, "shared_name");
    return "table " + (shared.empty() ? node.name() : shared);
  }
  return {};
}

Result<SavedState> SavedState::open(const std::filesystem::path& folder, const tf::MetaGraphDef& meta,
                                    GraphView& graph) {
  TRY(auto checkpoint, Checkpoint::open(folder));
  SavedState state(folder, meta, graph, std::move(checkpoint));
  if (!meta.saver_def().restore_op_name().empty()) TRY_STATUS(state.follow(meta.saver_def().restore_op_name()));
  for (const auto& name : initialisers_of(meta)) TRY_STATUS(state.follow(name));
  return state;
}

Status SavedState::follow(const std::string& name) {
  const auto found = graph_->find(name);
  if (!found || found->node == nullptr) return {};
  std::vector<Place> pending{{found->scope, found->node}};
  while (!pending.empty()) {
    const auto place = pending.back();
    pending.pop_back();
    if (!visited_.emplace(place.scope, place.node).second) continue;
    if (visited_.size() > kVisitedMax) return fail(Code::kUnimplemented, "initialisers of too many operations");
    TRY_STATUS(visit(*place.scope, *place.node, pending));
  }
  return {};
}

Status SavedState::visit(const Scope& scope, const tf::NodeDef& node, std::vector<Place>& pending) {
  if (fills(node.op())) TRY_STATUS(note_filled(scope, node));
  for (const auto& input : node.input()) {
    const bool control = !input.empty() && input[0] == '^';
    const auto name = split(std::string_view(input).substr(control ? 1 : 0), ':').front();
    const auto found = scope.body().by_name.find(name);
    if (found != scope.body().by_name.end()) pending.push_back({&scope, found->second});
  }
  TRY(const auto* callee, graph_->called(scope, node));
  if (callee == nullptr) return {};
  for (const auto* inner : callee->body().nodes) pending.push_back({callee, inner});
  return {};
}

Status SavedState::note_filled(const Scope& scope, const tf::NodeDef& node) {
  TRY(const auto resource, graph_->resolved_input(scope, node, 0));
  if (resource.node == nullptr) return {};
  const auto key = resource_key(*resource.node);
  // The restore operation is followed first, and what it fills stays.
  if (!key.empty()) filled_.try_emplace(key, Place{&scope, &node});
  return {};
}

Result<Literal> SavedState::restored(const Output& output) {
  TRY(const auto names, graph_->resolved_input(*output.scope, *output.node, 1));
  TRY(const auto slices, graph_->resolved_input(*output.scope, *output.node, 2));
  TRY(const auto keys, value_of(names));
  TRY(const auto parts, value_of(slices));
  const auto index = static_cast<std::size_t>(output.index);
  if (output.index < 0 || index >= keys.strings.size() || index >= parts.strings.size()) {
    return fail(Code::kInvalidArgument, "node '" + printable(output.scope->path_of(*output.node)) +
                                            "' restores fewer tensors than are taken from it");
  }
  return checkpoint_.read(keys.strings[index], parts.strings[index]);
}

Result<Literal> SavedState::value_of(const Output& output, int depth) {
  const auto& name = output.node == nullptr ? "argument" : output.node->name();
  if (output.node == nullptr || depth > kValueDepthMax) {
    return fail(Code::kUnimplemented,
                "a value that is computed when the model is initialised, at '" + printable(name) + "'");
  }
  const auto& node = *output.node;
  if (node.op() == "Const") {
    const auto value = node.attr().find("value");
    if (value == node.attr().end())
      return fail(Code::kInvalidArgument, "constant '" + printable(name) + "' without a value");
    return read_literal(value->second.tensor(), node.name());
  }
  if (is_one_of(node.op(), {"RestoreV2"})) return restored(output);
  // Tables are flat, so that only the order of elements matters.
  if (is_one_of(node.op(), {"Reshape", "ExpandDims", "Squeeze"})) {
    TRY(const auto input, graph_->resolved_input(*output.scope, node, 0));
    return value_of(input, depth + 1);
  }
  return fail(Code::kUnimplemented, "a value that " + printable(node.op()) +
                                        " computes when the model is initialised (node " +
                                        printable(output.scope->path_of(node)) + ")");
}

Status SavedState::read_object_graph() {
  if (object_graph_read_) return {};
  object_graph_read_ = true;
  if (!checkpoint_.contains(kObjectGraph)) return {};
  TRY(const auto serialized, checkpoint_.read(kObjectGraph));
  tf::TrackableObjectGraph objects;
  if (serialized.strings.size() != 1 || !objects.ParseFromString(serialized.strings[0])) {
    return fail(Code::kInvalidArgument, "the checkpoint's object graph is no TrackableObjectGraph");
  }
  const auto& saved = meta_->object_graph_def();
  for (int i = 0; i < objects.nodes_size(); ++i) {
    for (const auto& attribute : objects.nodes(i).attributes()) {
      keys_by_name_.emplace(attribute.full_name(), attribute.checkpoint_key());
      if (i >= saved.nodes_size() || attribute.name() != "VARIABLE_VALUE") continue;
      keys_by_name_.emplace(saved.nodes(i).variable().name(), attribute.checkpoint_key());
    }
  }
  return {};
}

Result<Literal> SavedState::by_object_graph(const std::string& name) {
  TRY_STATUS(read_object_graph());
  if (const auto found = keys_by_name_.find(name); found != keys_by_name_.end()) return checkpoint_.read(found->second);
  if (checkpoint_.contains(name)) return checkpoint_.read(name);
  return fail(Code::kInvalidArgument,
              "variable '" + printable(name) + "' is filled by no operation and is not in the checkpoint");
}

Result<std::shared_ptr<const Literal>> SavedState::variable(const tf::NodeDef& node) {
  const auto key = resource_key(node);
  if (const auto known = variables_.find(key); known != variables_.end()) return known->second;
  Result<Literal> value = fail(Code::kInvalidArgument, "");
  if (const auto place = filled_.find(key); place != filled_.end()) {
    TRY(const auto source, graph_->resolved_input(*place->second.scope, *place->second.node, 1));
    value = value_of(source);
  }
  if (!value) {
    auto other = by_object_graph(key.substr(key.find(' ') + 1));
    if (other || value.error().message.empty()) value = std::move(other);
  }
  if (!value) return tl::unexpected(std::move(value).error());
  return variables_[key] = std::make_shared<const Literal>(*std::move(value));
}

Result<std::string> SavedState::asset_of(Output output) {
  // The path may be kept in a variable that an initialiser fills.
  if (output.node != nullptr && output.node->op() == "ReadVariableOp") {
    TRY(const auto handle, graph_->resolved_input(*output.scope, *output.node, 0));
    const auto place = handle.node == nullptr ? filled_.end() : filled_.find(resource_key(*handle.node));
    if (place != filled_.end()) {
      TRY(output, graph_->resolved_input(*place->second.scope, *place->second.node, 1));
    }
  }
  const bool outside = output.node != nullptr && output.scope == &graph_->root();
  for (const auto& [tensor, file] : assets_of(*meta_)) {
    if (outside && split(tensor, ':').front() == output.node->name()) return file;
  }
  return fail(Code::kUnimplemented, "a table is filled from a file that is no asset of the model");
}

Result<LookupTable> SavedState::read_text_table(const tf::NodeDef& table, const Place& place) {
  TRY(const auto source, graph_->resolved_input(*place.scope, *place.node, 1));
  TRY(const auto asset, asset_of(source));
  TRY(const auto folder, ModelFolder::open(folder_));
  TRY(const auto file, folder.open_file("assets/" + asset, "asset"));
  if (file.size() > kAssetBytesMax) {
    return fail(Code::kInvalidArgument, "asset '" + printable(asset) + "' has " + std::to_string(file.size()) +
                                            " bytes, expected at most 256 MiB");
  }
  TRY(const auto bytes, file.read_all());
  const auto number = [&](const char* name, std::int64_t otherwise) {
    const auto found = place.node->attr().find(name);
    return found == place.node->attr().end() ? otherwise : found->second.i();
  };
  TextTableForm form;
  form.key_index = number("key_index", form.key_index);
  form.value_index = number("value_index", form.value_index);
  form.lines_max = number("vocab_size", form.lines_max);
  form.offset = number("offset", form.offset);
  if (const auto delimiter = attribute_text(*place.node, "delimiter"); !delimiter.empty())
    form.delimiter = delimiter[0];
  const auto type = [&](const char* name) {
    const auto found = table.attr().find(name);
    return found == table.attr().end() ? tf::DT_INVALID : found->second.type();
  };
  form.key_dtype = type("key_dtype");
  form.value_dtype = type("value_dtype");
  return read_text_table_file(bytes.text(), asset, form);
}

Result<LookupTable> SavedState::read_table(const tf::NodeDef& table, const Place& place) {
  if (place.node->op().rfind("InitializeTableFromTextFile", 0) == 0) return read_text_table(table, place);
  TRY(const auto keys, graph_->resolved_input(*place.scope, *place.node, 1));
  TRY(const auto values, graph_->resolved_input(*place.scope, *place.node, 2));
  LookupTable read;
  TRY(read.keys, value_of(keys));
  TRY(read.values, value_of(values));
  if (read.keys.elements() != read.values.elements()) {
    return fail(Code::kInvalidArgument, "table '" + printable(table.name()) + "' has " +
                                            std::to_string(read.keys.elements()) + " keys and " +
                                            std::to_string(read.values.elements()) + " values");
  }
  return read;
}

Result<std::shared_ptr<const LookupTable>> SavedState::table(const tf::NodeDef& node) {
  const auto key = resource_key(node);
  if (const auto known = tables_.find(key); known != tables_.end()) return known->second;
  const auto place = filled_.find(key);
  if (place == filled_.end()) {
    return fail(Code::kInvalidArgument, "table '" + printable(node.name()) + "' is filled by no initialiser");
  }
  TRY(auto read, read_table(node, place->second));
  return tables_[key] = std::make_shared<const LookupTable>(std::move(read));
}

}  // namespace protean
