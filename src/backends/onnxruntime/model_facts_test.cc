// SPDX-License-Identifier: Apache-2.0
// What the bytes of the models in tests/data say.
#include "backends/onnxruntime/model_facts.h"

#include <gmock/gmock.h>

#include "backends/onnxruntime/onnx_test_support.h"

namespace protean {
namespace {

using namespace onnx_test;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

ModelFacts facts_of(const std::string& name) {
  const auto file = read_file(data_folder() / "models" / (name + ".onnx"));
  auto facts = read_model_facts(file);
  EXPECT_TRUE(facts) << name;
  return facts.value_or(ModelFacts{});
}

std::string zip_map(const std::string& attribute) {
  const auto zip = text_field(1, node("ZipMap", {"x"}, {"y"}, attribute + text_field(7, "ai.onnx.ml")));
  return model(float_graph(zip));
}

TEST(ModelFacts, ReadsVersionsAndShapes) {
  const auto facts = facts_of("fixed_shape");
  EXPECT_EQ(facts.ir_version, 8U);
  ASSERT_EQ(facts.opsets.size(), 2U);
  EXPECT_EQ(facts.opsets[0].domain, "");
  EXPECT_EQ(facts.opsets[0].version, 17U);
  EXPECT_EQ(facts.opsets[1].domain, "ai.onnx.ml");
  ASSERT_NE(facts.find_input("x"), nullptr);
  EXPECT_TRUE(facts.find_input("x")->fixed);
  EXPECT_EQ(facts.find_input("y"), nullptr);
}

TEST(ModelFacts, TellsAScalarFromAnUnknownRank) {
  EXPECT_TRUE(facts_of("scalar").find_input("x")->has_shape);
  EXPECT_FALSE(facts_of("identity_any_rank").find_input("x")->has_shape);
  EXPECT_FALSE(facts_of("sum_two").find_input("a")->fixed);
}

TEST(ModelFacts, FindsTheLabelsOfZipMapOutputs) {
  EXPECT_EQ(facts_of("zip_map").find_labelled("probabilities")->labels, R"(["cat","dog","eel"])");
  const auto facts = facts_of("map_int");
  ASSERT_NE(facts.find_labelled("probabilities"), nullptr);
  EXPECT_EQ(facts.find_labelled("probabilities")->labels, "[7,1,4]");
  EXPECT_EQ(facts.find_labelled("probabilities")->label_count, 3);
  EXPECT_EQ(facts.find_labelled("probabilities")->scores, "x");
  EXPECT_EQ(facts.find_labelled("label"), nullptr);
}

TEST(ModelFacts, ReadsPackedAndNegativeLabels) {
  // -1 as a varint has ten bytes.
  const auto packed = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x05";
  const auto facts =
      read_model_facts(zip_map(text_field(5, text_field(1, "classlabels_int64s") + text_field(8, packed))));
  ASSERT_TRUE(facts);
  ASSERT_EQ(facts->labelled.size(), 1U);
  EXPECT_EQ(facts->labelled[0].labels, "[-1,5]");
}

TEST(ModelFacts, LeavesZipMapsAloneThatItCannotFlatten) {
  const auto labels = text_field(5, text_field(1, "classlabels_int64s") + number_field(8, 1));
  EXPECT_EQ(read_model_facts(zip_map(labels))->labelled.size(), 1U);
  EXPECT_TRUE(read_model_facts(zip_map(""))->labelled.empty());
  const auto zip = text_field(1, node("ZipMap", {"x"}, {"y"}, labels + text_field(7, "ai.onnx.ml")));
  const auto reader = text_field(1, node("SequenceLength", {"y"}, {"count"}));
  EXPECT_TRUE(read_model_facts(model(float_graph(zip + reader)))->labelled.empty());
  const auto inner = text_field(5, text_field(1, "body") + text_field(6, reader));
  const auto deep_reader = text_field(1, node("If", {"x"}, {"count"}, inner));
  EXPECT_TRUE(read_model_facts(model(float_graph(zip + deep_reader)))->labelled.empty());
  const auto hidden = text_field(1, node("ZipMap", {"x"}, {"z"}, labels + text_field(7, "ai.onnx.ml")));
  EXPECT_TRUE(read_model_facts(model(float_graph(hidden)))->labelled.empty());
}

TEST(ModelFacts, SaysWhatIsWrongWithAFile) {
  const auto message = [](const std::string& file) {
    const auto facts = read_model_facts(file);
    return facts ? "" : facts.error().message;
  };
  EXPECT_THAT(message(""), HasSubstr("empty"));
  const auto whole = model(float_graph(""));
  EXPECT_THAT(message(whole.substr(0, 30)), HasSubstr("truncated after 30 bytes: field 7 of the model asks for"));
  const auto after_graph = number_field(1, 8) + text_field(7, float_graph(""));
  EXPECT_THAT(message(after_graph), HasSubstr("names no operator set"));
  EXPECT_THAT(message(number_field(1, 8) + text_field(2, "skl2onnx")), HasSubstr("no graph"));
  EXPECT_THAT(message(text_field(7, float_graph(""))), HasSubstr("no IR version"));
  EXPECT_THAT(message("<html>"), HasSubstr("not ONNX"));
}

}  // namespace
}  // namespace protean
