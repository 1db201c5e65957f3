// SPDX-License-Identifier: Apache-2.0
// Graphs as text, for what real models do not show: several meta graphs, circles, recursion, what does not lower, and
// what changes variables. That answers are right is shown against TensorFlow, in tests/backends.
#include "tensorflow/lower.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "proto/onnx.pb.h"
#include "proto/tensorflow.pb.h"
#include "tensorflow/saved_model.h"

namespace protean {
namespace {

constexpr const char* kInfo = R"(dtype: DT_FLOAT tensor_shape { dim { size: -1 } })";

std::string signature(const std::string& output) {
  return std::string(R"(signature_def { key: "serving_default" value { method_name: "tensorflow/serving/predict"
    inputs { key: "x" value { name: "x:0" )") +
         kInfo + R"( } } outputs { key: "y" value { name: ")" + output + R"(" )" + kInfo + "} } } }";
}

/// The text of a meta graph with a placeholder x and `nodes`; y is output 0 of the node y.
std::string meta_graph(const std::string& nodes, const std::string& library = "",
                       const std::string& tags = "tags: 'serve'") {
  return "meta_graphs { meta_info_def { " + tags +
         " tensorflow_version: '2.20.0' } graph_def { node { name: 'x' op: 'Placeholder' } " + nodes + " library { " +
         library + " } } " + signature("y:0") + " }";
}

std::string node(const std::string& name, const std::string& op, const std::vector<std::string>& inputs,
                 const std::string& more = "") {
  std::string text = "node { name: '" + name + "' op: '" + op + "' ";
  for (const auto& input : inputs) text += "input: '" + input + "' ";
  return text + more + " }";
}

class LowerTest : public testing::Test {
 protected:
  LowerTest() {
    std::string pattern = testing::TempDir() + "lowerXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~LowerTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& text) {
    tensorflow::SavedModel model;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &model)) << text;
    std::ofstream(folder_ / "saved_model.pb", std::ios::binary) << model.SerializeAsString();
  }

  Result<LoweredModel> lower(const std::string& text, const std::string& name = "serving_default") {
    write(text);
    return lower_saved_model(folder_, {"serve"}, name);
  }

  std::string error_of(const std::string& text) {
    const auto lowered = lower(text);
    EXPECT_FALSE(lowered);
    return lowered ? "" : lowered.error().message;
  }

  std::filesystem::path folder_;
};

TEST_F(LowerTest, NamesInputsAndOutputsAsTheSignatureDoes) {
  const auto lowered = lower(meta_graph(node("y", "AddV2", {"x", "x"})));
  ASSERT_TRUE(lowered) << lowered.error().message;
  lowered_onnx::Model model;
  ASSERT_TRUE(model.ParseFromString(lowered->onnx));
  ASSERT_EQ(model.graph().input_size(), 1);
  EXPECT_EQ(model.graph().input(0).name(), "x");
  EXPECT_EQ(model.graph().output(0).name(), "y");
  EXPECT_EQ(model.graph().node(0).op_type(), "Add");
  EXPECT_THAT(lowered->notes, testing::IsEmpty());
}

TEST_F(LowerTest, NamesEveryOperationThatDoesNotLowerAtOnce) {
  const auto lowered = lower(meta_graph(node("a", "Foo", {"x"}) + node("b", "Foo", {"a"}) + node("c", "Bar", {"x"}) +
                                        node("d", "AddV2", {"b", "c"}) + node("y", "Baz", {"d"})));
  ASSERT_FALSE(lowered);
  EXPECT_EQ(lowered.error().code, Code::kUnimplemented);
  EXPECT_EQ(lowered.error().message,
            "operations that do not lower: Bar (node c), Baz (node y), Foo (2 nodes, first a)");
}

TEST_F(LowerTest, NamesThoseInsideOfLoopsAndBranchesToo) {
  const std::string library =
      "function { signature { name: 'f' input_arg { name: 'a' type: DT_FLOAT } output_arg { name: 'o' type: DT_FLOAT } "
      "} "
      "node_def { name: 'inner' op: 'Foo' input: 'a' } ret { key: 'o' value: 'inner:o:0' } }";
  const auto text =
      error_of(meta_graph(node("c", "Bar", {"x"}) + node("y", "If", {"c", "x"},
                                                         "attr { key: 'then_branch' value { func { name: 'f' } } } "
                                                         "attr { key: 'else_branch' value { func { name: 'f' } } }"),
                          library));
  EXPECT_EQ(text, "operations that do not lower: Bar (node c), Foo (node y/inner)");
}

TEST_F(LowerTest, TellsWhyAnOperationDoesNotLowerThisTime) {
  EXPECT_EQ(error_of(meta_graph(node("a", "Cast", {"x"}, "attr { key: 'DstT' value { type: DT_INT32 } }") +
                                node("y", "Sum", {"x", "a"}))),
            "operations that do not lower: Sum (node y: axes that is not constant)");
  EXPECT_EQ(error_of(meta_graph(node("z", "Placeholder", {}) + node("y", "AddV2", {"x", "z"}))),
            "operations that do not lower: Placeholder (node z: an input that the signature does not have)");
}

TEST_F(LowerTest, RefusesWhatChangesVariables) {
  const auto text =
      error_of(meta_graph(node("v", "VarHandleOp", {}) + node("count", "AssignAddVariableOp", {"v", "x"}) +
                          node("y", "AddV2", {"x", "x", "^count"})));
  EXPECT_EQ(text, "operations that do not lower: AssignAddVariableOp (node count: changes what outlives the request)");
}

TEST_F(LowerTest, SaysThatChecksAreLeftOut) {
  const auto lowered = lower(meta_graph(node("check", "Assert", {"x"}) + node("y", "Neg", {"x", "^check"})));
  ASSERT_TRUE(lowered) << lowered.error().message;
  EXPECT_THAT(lowered->notes, testing::ElementsAre("checks of the graph (Assert) are not evaluated"));
}

/// A condition of TF1 by a constant, whose true side changes a variable.
std::string condition_of_tf1(const std::string& truth) {
  const auto predicate =
      "attr { key: 'value' value { tensor { dtype: DT_BOOL tensor_shape { } bool_val: " + truth + " } } }";
  return node("p", "Const", {}, predicate) + node("s", "Switch", {"x", "p"}) + node("v", "VarHandleOp", {}) +
         node("count", "AssignAddVariableOp", {"v", "s:1"}) + node("t", "Neg", {"s:1", "^count"}) +
         node("f", "Abs", {"s"}) + node("y", "Merge", {"f", "t"});
}

TEST_F(LowerTest, ReachesOnlyTheSideOfAConditionThatIsTaken) {
  const auto lowered = lower(meta_graph(condition_of_tf1("false")));
  ASSERT_TRUE(lowered) << lowered.error().message;
  lowered_onnx::Model model;
  ASSERT_TRUE(model.ParseFromString(lowered->onnx));
  EXPECT_EQ(model.graph().node(0).op_type(), "Abs");
  EXPECT_THAT(error_of(meta_graph(condition_of_tf1("true"))), testing::HasSubstr("AssignAddVariableOp (node count"));
}

TEST_F(LowerTest, NamesLoopsOfTheFirstTensorFlow) {
  EXPECT_EQ(
      error_of(meta_graph(node("e", "Enter", {"x"}) + node("m", "Merge", {"e", "n"}) + node("l", "LoopCond", {"c"}) +
                          node("c", "Less", {"m", "m"}) + node("s", "Switch", {"m", "l"}) + node("b", "Neg", {"s:1"}) +
                          node("n", "NextIteration", {"b"}) + node("y", "Exit", {"s"}))),
      "operations that do not lower: Enter (node e), Exit (node y), NextIteration (node n)");
}

TEST_F(LowerTest, RefusesCircles) {
  EXPECT_THAT(error_of(meta_graph(node("a", "Neg", {"y"}) + node("y", "Neg", {"a"}))),
              testing::HasSubstr("goes in circles"));
  EXPECT_THAT(error_of(meta_graph(node("a", "Identity", {"y"}) + node("y", "Identity", {"a"}))),
              testing::HasSubstr("goes in circles"));
}

TEST_F(LowerTest, RefusesFunctionsThatCallThemselves) {
  const std::string library =
      "function { signature { name: 'f' input_arg { name: 'a' type: DT_FLOAT } output_arg { name: 'o' type: DT_FLOAT } "
      "} "
      "node_def { name: 'again' op: 'PartitionedCall' input: 'a' attr { key: 'f' value { func { name: 'f' } } } } "
      "ret { key: 'o' value: 'again:output:0' } }";
  const auto call = node("y", "PartitionedCall", {"x"}, "attr { key: 'f' value { func { name: 'f' } } }");
  EXPECT_THAT(error_of(meta_graph(call, library)),
              testing::HasSubstr("functions nest deeper than 64 or call themselves"));
}

TEST_F(LowerTest, RefusesGraphsThatNameWhatIsNotThere) {
  EXPECT_THAT(error_of(meta_graph(node("y", "Neg", {"nothing"}))),
              testing::HasSubstr("node 'y' has the input 'nothing', which is not in the graph"));
  EXPECT_THAT(error_of(meta_graph("")), testing::HasSubstr("'y:0' is not in the graph"));
  EXPECT_THAT(error_of(meta_graph(node("y", "Neg", {}))), testing::HasSubstr("node 'y' (Neg) has too few inputs: 0"));
  const auto call = node("y", "PartitionedCall", {"x"}, "attr { key: 'f' value { func { name: 'g' } } }");
  EXPECT_THAT(error_of(meta_graph(call)), testing::HasSubstr("calls the function 'g', which the model does not have"));
  EXPECT_THAT(error_of(meta_graph(node("y", "ReadVariableOp", {"v"}) + node("v", "VarHandleOp", {}))),
              testing::HasSubstr("variable 'v' is filled by no operation"));
}

TEST_F(LowerTest, ListsTheSignaturesWhenTheOneAskedForIsMissing) {
  const auto lowered = lower(meta_graph(node("y", "Neg", {"x"})), "other");
  ASSERT_FALSE(lowered);
  EXPECT_EQ(lowered.error().code, Code::kNotFound);
  EXPECT_EQ(lowered.error().message, "signature 'other', expected one of: serving_default");
}

TEST_F(LowerTest, GivesAnOutputWithTheNameOfAnInputAnother) {
  auto text = meta_graph(node("y", "Neg", {"x"}));
  const auto at = text.find("outputs { key: \"y\"");
  text.replace(at, 18, "outputs { key: \"x\"");
  const auto lowered = lower(text);
  ASSERT_TRUE(lowered) << lowered.error().message;
  EXPECT_THAT(lowered->notes, testing::ElementsAre(testing::HasSubstr("is called 'output:x'")));
}

TEST_F(LowerTest, TakesTheMetaGraphWithTheTags) {
  write(meta_graph(node("y", "Neg", {"x"}), "", "tags: 'serve' tags: 'tpu'") + meta_graph(node("y", "Abs", {"x"})));
  const auto exact = read_saved_model_facts(folder_, {"serve"});
  ASSERT_TRUE(exact);
  EXPECT_THAT(exact->tags, testing::ElementsAre("serve"));
  EXPECT_THAT(read_saved_model_facts(folder_, {"tpu"})->tags, testing::ElementsAre("serve", "tpu"));
  const auto missing = read_saved_model_facts(folder_, {"train"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().message,
              testing::HasSubstr("no meta graph with the tags {train}; it has {serve,tpu} {serve}"));
}

std::string constant(const std::string& name, const std::string& tensor) {
  return node(name, "Const", {}, "attr { key: 'value' value { tensor { " + tensor + " } } }");
}

/// y is computed from the floats `a`; the integer `b` is read and not used; the Examples are the input x.
std::string examples_graph(const std::string& shape_of_a, const std::string& y) {
  const std::string none = "dtype: DT_STRING tensor_shape { dim { size: 0 } }";
  const std::string attributes =
      "attr { key: 'Tdense' value { list { type: DT_FLOAT type: DT_INT64 } } } "
      "attr { key: 'dense_shapes' value { list { shape { " +
      shape_of_a + " } shape { } } } }";
  auto text = meta_graph(
      constant("none", none) +
      constant("keys", "dtype: DT_STRING tensor_shape { dim { size: 2 } } string_val: 'a' string_val: 'b'") +
      constant("no_default", "dtype: DT_FLOAT tensor_shape { dim { size: 0 } }") +
      constant("seven", "dtype: DT_INT64 tensor_shape { } int64_val: 7") +
      node("read", "ParseExampleV2", {"x", "none", "none", "keys", "none", "no_default", "seven"}, attributes) + y);
  const auto input = text.find("DT_FLOAT", text.find("signature_def"));
  return text.replace(input, 8, "DT_STRING");
}

TEST_F(LowerTest, CutsTheGraphBehindWhatReadsExamples) {
  const auto lowered = lower(examples_graph("dim { size: 1 }", node("y", "Neg", {"read"})));
  ASSERT_TRUE(lowered) << lowered.error().message;
  ASSERT_EQ(lowered->features.size(), 2U);
  const auto& a = lowered->features[0];
  const auto& b = lowered->features[1];
  EXPECT_EQ(a.input, "x");
  EXPECT_EQ(a.key, "a");
  EXPECT_EQ(a.shape, Shape{1});
  EXPECT_FALSE(a.otherwise);
  EXPECT_EQ(b.key, "b");
  ASSERT_TRUE(b.otherwise);
  EXPECT_EQ(integer_at(*b.otherwise, 0), 7);
  lowered_onnx::Model model;
  ASSERT_TRUE(model.ParseFromString(lowered->onnx));
  ASSERT_EQ(model.graph().input_size(), 1) << "neither the Examples nor what nobody uses";
  EXPECT_EQ(model.graph().input(0).name(), a.tensor);
}

TEST_F(LowerTest, KeepsTheExamplesWhereSomethingElseUsesThem) {
  const auto y = node("count", "Size", {"x"}) +
                 node("sum", "Cast", {"count"}, "attr { key: 'DstT' value { type: DT_FLOAT } }") +
                 node("y", "AddV2", {"read", "sum"});
  const auto lowered = lower(examples_graph("", y));
  ASSERT_TRUE(lowered) << lowered.error().message;
  lowered_onnx::Model model;
  ASSERT_TRUE(model.ParseFromString(lowered->onnx));
  ASSERT_EQ(model.graph().input_size(), 2);
  EXPECT_EQ(model.graph().input(0).name(), "x");
}

TEST_F(LowerTest, RefusesExamplesItCannotReadForTheGraph) {
  const auto y = node("y", "Neg", {"read"});
  EXPECT_THAT(error_of(examples_graph("dim { size: -1 }", y)),
              testing::HasSubstr("ParseExampleV2 (node read: feature 'a' has any number of values)"));
  EXPECT_THAT(error_of(examples_graph("unknown_rank: true", y)), testing::HasSubstr("any number of values"));
  auto sparse = examples_graph("", y);
  sparse.replace(sparse.find("attr { key: 'Tdense'"), 0, "attr { key: 'num_sparse' value { i: 1 } } ");
  EXPECT_THAT(error_of(sparse), testing::HasSubstr("features that are sparse or ragged"));
  auto computed = examples_graph("", y);
  computed.replace(computed.find("op: 'ParseExampleV2' input: 'x'"), 31, "op: 'ParseExampleV2' input: 'none'");
  EXPECT_THAT(error_of(computed), testing::HasSubstr("Examples that are no input of the signature"));
}

TEST_F(LowerTest, DescribesSignatures) {
  write(meta_graph(node("y", "Neg", {"x"})));
  const auto facts = read_saved_model_facts(folder_, {"serve"});
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->tensorflow_version, "2.20.0");
  ASSERT_EQ(facts->signatures.size(), 1U);
  const auto& described = facts->signatures[0];
  EXPECT_EQ(described.name, "serving_default");
  EXPECT_EQ(described.method_name, "tensorflow/serving/predict");
  ASSERT_EQ(described.inputs.size(), 1U);
  EXPECT_EQ(described.inputs[0].node, "x:0");
  EXPECT_EQ(described.inputs[0].dtype, tensorflow::DT_FLOAT);
  EXPECT_EQ(described.inputs[0].shape, Shape{-1});
  tensorflow::SignatureDef parsed;
  EXPECT_TRUE(parsed.ParseFromString(described.serialized));
}

TEST_F(LowerTest, RefusesFilesThatAreNoModels) {
  EXPECT_EQ(read_saved_model_facts(folder_, {"serve"}).error().code, Code::kNotFound);
  std::ofstream(folder_ / "saved_model.pb") << "nonsense";
  const auto read = read_saved_model_facts(folder_, {"serve"});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace protean
