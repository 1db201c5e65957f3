// SPDX-License-Identifier: Apache-2.0
// Graphs made of messages: what may be reached, and where names of files may come from.
#include "backends/tensorflow/graph_check.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "proto/tensorflow.pb.h"

namespace protean {
namespace {

namespace tf = tensorflow;
using testing::HasSubstr;

tf::NodeDef* add(google::protobuf::RepeatedPtrField<tf::NodeDef>* nodes, const std::string& name, const std::string& op,
                 const std::vector<std::string>& inputs = {}) {
  auto* node = nodes->Add();
  node->set_name(name);
  node->set_op(op);
  for (const auto& input : inputs) node->add_input(input);
  return node;
}

/// x -> y, and a checkpoint restored as TensorFlow 1 does.
struct Graph {
  tf::MetaGraphDef def;

  Graph() {
    node("x", "Placeholder");
    node("y", "Identity", {"x"});
    auto& signature = (*def.mutable_signature_def())["serving_default"];
    (*signature.mutable_inputs())["x"].set_name("x:0");
    (*signature.mutable_outputs())["y"].set_name("y:0");
    node("save/Const", "Const");
    node("save/RestoreV2", "RestoreV2", {"save/Const"});
    node("save/all", "NoOp", {"^save/RestoreV2"});
    node("save/SaveV2", "SaveV2", {"save/Const"});
    def.mutable_saver_def()->set_filename_tensor_name("save/Const:0");
    def.mutable_saver_def()->set_restore_op_name("save/all");
  }
  tf::NodeDef* node(const std::string& name, const std::string& op, const std::vector<std::string>& inputs = {}) {
    return add(def.mutable_graph_def()->mutable_node(), name, op, inputs);
  }
  /// A function of one argument, `file`, and a call of it, with `argument`.
  tf::FunctionDef& call(const std::string& name, const std::string& argument) {
    auto* function = def.mutable_graph_def()->mutable_library()->add_function();
    function->mutable_signature()->set_name(name);
    function->mutable_signature()->add_input_arg()->set_name("file");
    auto* node = this->node("call_" + name, "StatefulPartitionedCall", {argument});
    (*node->mutable_attr())["f"].mutable_func()->set_name(name);
    initialise("call_" + name);
    return *function;
  }
  void initialise(const std::string& name) {
    (*def.mutable_collection_def())["saved_model_main_op"].mutable_node_list()->add_value(name);
  }
  void asset(const std::string& tensor, const std::string& file) {
    auto* asset = def.add_asset_file_def();
    asset->mutable_tensor_info()->set_name(tensor);
    asset->set_filename(file);
  }
  void read_table(const std::string& file) {
    node("table", "HashTableV2");
    node("fill", "InitializeTableFromTextFileV2", {"table", file});
    initialise("fill");
  }
  [[nodiscard]] std::string refusal() const {
    const auto status = check_graph(def);
    return status ? "" : status.error().message;
  }
};

TEST(GraphCheck, WhatSavesIsLeftAloneWhereNobodyReachesIt) { EXPECT_EQ(Graph().refusal(), ""); }

TEST(GraphCheck, AnOperationThatReadsFilesIsNamedWithItsNode) {
  Graph graph;
  graph.node("content", "ReadFile", {"x"});
  graph.node("z", "Identity", {"content"});
  EXPECT_EQ(graph.refusal(), "");
  (*(*graph.def.mutable_signature_def())["serving_default"].mutable_outputs())["z"].set_name("z:0");
  EXPECT_THAT(graph.refusal(), HasSubstr("operation ReadFile (node 'content')"));
}

TEST(GraphCheck, WhatIsBehindAFedTensorIsNotReached) {
  Graph graph;
  graph.node("content", "ReadFile", {"x"});
  graph.def.mutable_graph_def()->mutable_node(0)->add_input("^content");
  EXPECT_EQ(graph.refusal(), "");
}

TEST(GraphCheck, FunctionsAreLookedIntoHoweverTheyAreUsed) {
  Graph graph;
  auto* function = graph.def.mutable_graph_def()->mutable_library()->add_function();
  function->mutable_signature()->set_name("inner");
  add(function->mutable_node_def(), "run", "PyFunc");
  auto* mapped = graph.node("mapped", "MapDataset");
  (*mapped->mutable_attr())["list"].mutable_list()->add_func()->set_name("inner");
  graph.def.mutable_graph_def()->mutable_node(1)->add_input("^mapped");
  EXPECT_THAT(graph.refusal(), HasSubstr("operation PyFunc (node 'run' of function 'inner')"));
}

TEST(GraphCheck, PrintingIntoAFileIsRefused) {
  Graph graph;
  (*graph.node("print", "PrintV2", {"x"})->mutable_attr())["output_stream"].set_s("stderr");
  graph.def.mutable_graph_def()->mutable_node(1)->add_input("^print");
  EXPECT_EQ(graph.refusal(), "");
  (*graph.def.mutable_graph_def()->mutable_node(6)->mutable_attr())["output_stream"].set_s("file:///tmp/x");
  EXPECT_THAT(graph.refusal(), HasSubstr("writes a file"));
}

TEST(GraphCheck, TablesAreFilledFromAssetsOnly) {
  Graph good;
  good.node("name", "Const");
  good.asset("name:0", "words.txt");
  good.read_table("name");
  EXPECT_EQ(good.refusal(), "");
  Graph bad;
  bad.node("name", "Const");
  bad.read_table("name");
  EXPECT_THAT(bad.refusal(), HasSubstr("(node 'fill') takes the name of a file from something else than an asset"));
}

TEST(GraphCheck, NamesAreFollowedThroughCalls) {
  for (const bool is_asset : {true, false}) {
    Graph graph;
    graph.node("name", "Const");
    graph.node("same", "Identity", {"name"});
    if (is_asset) graph.asset("name:0", "words.txt");
    auto& function = graph.call("fill", "same");
    add(function.mutable_node_def(), "again", "Identity", {"file"});
    add(function.mutable_node_def(), "read", "InitializeTableFromTextFileV2", {"table", "again:output:0"});
    EXPECT_EQ(graph.refusal().empty(), is_asset) << graph.refusal();
  }
}

TEST(GraphCheck, NamesMayBeKeptInAVariableThatNothingElseChanges) {
  Graph graph;
  graph.node("name", "Const");
  graph.asset("name:0", "words.txt");
  graph.node("kept", "VarHandleOp");
  graph.node("assign", "AssignVariableOp", {"kept", "name"});
  graph.node("read", "ReadVariableOp", {"kept", "^assign"});
  graph.read_table("read");
  EXPECT_EQ(graph.refusal(), "");
  Graph another = graph;
  (*another.node("alias", "VarHandleOp")->mutable_attr())["shared_name"].set_s("kept");
  EXPECT_NE(another.refusal(), "");
  Graph handed = graph;
  handed.node("hand", "StatefulPartitionedCall", {"kept"});
  EXPECT_NE(handed.refusal(), "");
}

TEST(GraphCheck, FunctionsThatCallEachOtherComeToAnEnd) {
  Graph graph;
  auto& first = graph.call("first", "x");
  auto* back = add(first.mutable_node_def(), "back", "first", {"file"});
  static_cast<void>(back);
  add(first.mutable_node_def(), "read", "RestoreV2", {"file"});
  EXPECT_THAT(graph.refusal(), HasSubstr("takes the name of a file from something else"));
}

TEST(GraphCheck, AssetsLieInTheFolder) {
  for (const char* name : {"/etc/passwd", "../words.txt", "gs://bucket/words.txt", ""}) {
    Graph graph;
    graph.asset("x:0", name);
    EXPECT_THAT(graph.refusal(), HasSubstr("is outside the model's folder")) << name;
  }
}

}  // namespace
}  // namespace protean
