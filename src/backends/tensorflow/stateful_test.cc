// SPDX-License-Identifier: Apache-2.0
// Graphs made of messages: who reaches what writes.
#include "backends/tensorflow/stateful.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

namespace tf = tensorflow;

class StatefulTest : public ::testing::Test {
 protected:
  StatefulTest() {
    node("x", "Placeholder");
    node("v", "VarHandleOp");
    node("y", "Identity", {"x"});
  }
  tf::NodeDef& node(const std::string& name, const std::string& op, const std::vector<std::string>& inputs = {}) {
    return fill(*graph_.mutable_graph_def()->add_node(), name, op, inputs);
  }
  tf::FunctionDef& function(const std::string& name) {
    auto& made = *graph_.mutable_graph_def()->mutable_library()->add_function();
    made.mutable_signature()->set_name(name);
    return made;
  }
  static tf::NodeDef& fill(tf::NodeDef& node, const std::string& name, const std::string& op,
                           const std::vector<std::string>& inputs = {}) {
    node.set_name(name);
    node.set_op(op);
    for (const auto& input : inputs) node.add_input(input);
    return node;
  }
  [[nodiscard]] bool marked(const std::string& input = "x:0", const std::string& output = "y:0") const {
    PlannedFunctions planned;
    planned.functions.push_back({{}, {input}, {output}, {}});
    mark_stateful(graph_, planned);
    return planned.functions[0].signature.stateful;
  }

  tf::MetaGraphDef graph_;
};

TEST_F(StatefulTest, AFunctionThatReadsIsNot) {
  node("read", "ReadVariableOp", {"v"});
  node("sum", "AddV2", {"read:0", "y"});
  EXPECT_FALSE(marked("x:0", "sum:0"));
}

TEST_F(StatefulTest, AFunctionThatWritesIs) {
  node("add", "AssignAddVariableOp", {"v", "x"});
  node("after", "Identity", {"x", "^add"});
  EXPECT_TRUE(marked("x:0", "after:0"));
}

TEST_F(StatefulTest, WhatNobodyAsksForDoesNotCount) {
  node("initial", "AssignVariableOp", {"v", "x"});
  node("save/restore", "NoOp", {"^initial"});
  EXPECT_FALSE(marked());
}

TEST_F(StatefulTest, WhatLiesBeyondAnInputDoesNotCount) {
  node("dequeued", "QueueDequeueV2", {"x"});
  node("twice", "AddV2", {"dequeued:0", "dequeued:0"});
  EXPECT_FALSE(marked("dequeued:0", "twice:0"));
  EXPECT_TRUE(marked("x:0", "twice:0"));
}

TEST_F(StatefulTest, FunctionsOfFunctionsCountWithAllTheirNodes) {
  fill(*function("inner").add_node_def(), "insert", "LookupTableInsertV2");
  auto& branch = fill(*function("outer").add_node_def(), "branch", "If");
  (*branch.mutable_attr())["then_branch"].mutable_func()->set_name("inner");
  auto& call = node("call", "StatefulPartitionedCall", {"x"});
  (*call.mutable_attr())["f"].mutable_func()->set_name("outer");
  EXPECT_TRUE(marked("x:0", "call:0"));
  EXPECT_FALSE(marked());
}

TEST_F(StatefulTest, FunctionsThatCallEachOtherEnd) {
  fill(*function("a").add_node_def(), "to_b", "b");
  fill(*function("b").add_node_def(), "to_a", "a");
  node("call", "a", {"x"});
  EXPECT_FALSE(marked("x:0", "call:0"));
}

TEST(StatefulOperation, TellsWritersFromThoseThatOnlySoundLikeOne) {
  for (const char* name : {"Assign", "AssignSubVariableOp", "ResourceScatterNdUpdate", "ScatterNdUpdate", "ApplyAdam",
                           "LookupTableRemoveV2", "QueueEnqueueManyV2", "OrderedMapUnstage", "Unstage"}) {
    EXPECT_TRUE(is_stateful_operation(name)) << name;
  }
  for (const char* name : {"ScatterNd", "ReadVariableOp", "LookupTableFindV2", "RandomUniform", "TensorListSetItem",
                           "StackPushV2", "TensorArrayScatterV3", "UnsortedSegmentSum", "ApproximateEqual"}) {
    EXPECT_FALSE(is_stateful_operation(name)) << name;
  }
}

}  // namespace
}  // namespace protean
