// SPDX-License-Identifier: Apache-2.0
#include "backends/trees/tree_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "backends/trees/category_hash.h"
#include "backends/trees/tree_files_test_support.h"
#include "backends/trees/xgboost_model.h"
#include "trees/ensemble.h"

namespace protean {
namespace {

using test::kCatboost;
using test::kLightgbm;
using test::kXgboost;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string refusal(TreeFormat format, const std::string& bytes) {
  auto spec = read_tree_file(format, bytes);
  if (!spec) return spec.error().message;
  const auto made = make_ensemble(std::move(spec->ensemble));
  return made ? "" : made.error().message;
}

TEST(TreeFile, RecognisesEachFormatByContent) {
  EXPECT_EQ(recognise_tree_file(kXgboost, kXgboost), TreeFormat::kXgboostJson);
  EXPECT_EQ(recognise_tree_file(std::string("{L\0\0\0\0\0\0\0\7learner{", 18), ""), TreeFormat::kXgboostUbjson);
  EXPECT_EQ(recognise_tree_file(kLightgbm, kLightgbm), TreeFormat::kLightgbmText);
  EXPECT_EQ(recognise_tree_file(kCatboost, kCatboost), TreeFormat::kCatboostJson);
  EXPECT_EQ(recognise_tree_file(test::xgboost_binary(), ""), TreeFormat::kXgboostBinary);
}

TEST(TreeFile, LeavesOtherFilesAlone) {
  for (const auto* text :
       {"", "{}", "{\"a\":1}", "tree", "tree\nnothing", "PK\3\4", "{\"learner", "[1]", "\x08\x08\x12\x04"}) {
    EXPECT_FALSE(recognise_tree_file(text, text)) << text;
  }
}

TEST(TreeFile, ReadsASmallModelOfEachFormat) {
  EXPECT_EQ(refusal(TreeFormat::kXgboostJson, std::string(kXgboost)), "");
  EXPECT_EQ(refusal(TreeFormat::kLightgbmText, std::string(kLightgbm)), "");
  EXPECT_EQ(refusal(TreeFormat::kCatboostJson, std::string(kCatboost)), "");
  EXPECT_EQ(refusal(TreeFormat::kXgboostBinary, test::xgboost_binary()), "");
}

TEST(XgboostFile, RefusesWhatItCannotServe) {
  const std::string good(kXgboost);
  const auto format = TreeFormat::kXgboostJson;
  EXPECT_THAT(refusal(format, replaced(good, "\"gbtree\"", "\"gbrand\"")), HasSubstr("booster 'gbrand'"));
  EXPECT_THAT(refusal(format, replaced(good, "\"gbtree\"", "\"gblinear\"")), HasSubstr("weights"));
  EXPECT_THAT(refusal(format, replaced(good, "binary:logistic", "my:own")), HasSubstr("objective 'my:own'"));
  EXPECT_THAT(refusal(format, replaced(good, "[1,-1,-1]", "[0,-1,-1]")), HasSubstr("node 0 has two parents"));
  EXPECT_THAT(refusal(format, replaced(good, "[1,-1,-1]", "[1e18,-1,-1]")), HasSubstr("children"));
  EXPECT_THAT(refusal(format, replaced(good, "[1,-1,-1]", "[1,-1]")), HasSubstr("tree 0: arrays of 3 and 2 nodes"));
  EXPECT_THAT(refusal(format, replaced(good, "\"tree_info\":[0]", "\"tree_info\":[7]")), HasSubstr("output 7 of 1"));
  EXPECT_THAT(refusal(format, replaced(good, "\"tree_info\":[0]", "\"tree_info\":[]")),
              HasSubstr("tree_info speaks of 0"));
  EXPECT_THAT(refusal(format, replaced(good, "\"5E-1\"", "\"2\"")), HasSubstr("base_score 2"));
  EXPECT_THAT(refusal(format, replaced(good, "\"num_feature\":\"2\"", "\"num_feature\":\"99999999999\"")),
              HasSubstr("'num_feature' is"));
}

/// The small model with the categories of column `a` as XGBoost writes them.
Result<TreeModelSpec> with_categories(const std::string& offsets, const std::string& bytes,
                                      const std::string& version) {
  auto text = replaced(std::string(kXgboost), R"(["float","int"])", R"(["c","int"])");
  text = replaced(text, R"({"model":{)",
                  R"({"model":{"cats":{"enc":[{"offsets":)" + offsets + R"(,"values":)" + bytes + "},{}]},");
  return read_tree_file(TreeFormat::kXgboostJson, replaced(text, "[3,2,0]", version));
}

TEST(XgboostFile, KnowsTheNamesOfCategories) {
  const auto ascii = with_categories("[0,1,3]", "[97,98,99]", "[3,2,0]");
  ASSERT_TRUE(ascii) << ascii.error().message;
  EXPECT_THAT(ascii->columns[0].categories, ElementsAre("a", "bc"));
  EXPECT_EQ(ascii->columns[0].type, DataType::kBytes);
  EXPECT_THAT(ascii->notes, IsEmpty());
  const auto mended = with_categories("[0,3,5]", "[-61,-87,48,111,110]", "[3,3,0]");
  ASSERT_TRUE(mended);
  EXPECT_THAT(mended->columns[0].categories, ElementsAre("\xC3\xA9"
                                                         "0",
                                                         "on"));
}

TEST(XgboostFile, TakesNumbersWhereTheNamesOfCategoriesAreGarbled) {
  // What XGBoost 3.2 writes for the names e-acute 0 and e-acute 1: offsets in characters, into bytes that are cut off.
  for (const auto* version : {"[3,2,0]", "[3,3,0]"}) {
    const auto garbled = with_categories("[0,2,4]", "[-61,-87,48,-61]", version);
    ASSERT_TRUE(garbled);
    EXPECT_THAT(garbled->columns[0].categories, IsEmpty());
    EXPECT_EQ(garbled->columns[0].type, DataType::kInt64);
    ASSERT_EQ(garbled->notes.size(), 1U);
    EXPECT_THAT(garbled->notes[0], HasSubstr("column 'a'"));
  }
  const auto doubled = with_categories("[0,1,2]", "[97,97]", "[3,3,0]");
  EXPECT_THAT(doubled->columns[0].categories, IsEmpty());
}

TEST(XgboostFile, PredictsAsTheWrapperDoesAfterEarlyStopping) {
  XgboostFacts facts;
  facts.objective = "reg:squarederror";
  facts.features = 1;
  facts.base_scores = {0.0F};
  facts.groups = {0, 0, 0};
  facts.iteration_ends = {0, 1, 2, 3};
  facts.best_iteration = 1;
  TreeSpec leaf;
  leaf.nodes.resize(1);
  leaf.values = {1};
  const auto spec = finish_xgboost(facts, {leaf, leaf, leaf});
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->ensemble.trees.size(), 2U);
}

TEST(XgboostBinaryFile, RefusesEveryTruncation) {
  const auto good = test::xgboost_binary();
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(refusal(TreeFormat::kXgboostBinary, good.substr(0, size)), "") << size;
  }
}

TEST(XgboostBinaryFile, RefusesSizesBeyondTheFile) {
  auto bytes = test::xgboost_binary();
  const std::int32_t many = 0x7FFFFFFF;
  std::memcpy(bytes.data() + test::kBinaryNodesAt, &many, sizeof many);
  EXPECT_THAT(refusal(TreeFormat::kXgboostBinary, bytes), HasSubstr("bytes expected"));
  auto classes = test::xgboost_binary();
  std::memcpy(classes.data() + 8, &many, sizeof many);
  EXPECT_THAT(refusal(TreeFormat::kXgboostBinary, classes), HasSubstr("2147483647 outputs"));
  const std::uint64_t huge = ~std::uint64_t{0};
  std::memcpy(bytes.data() + 136, &huge, sizeof huge);
  EXPECT_THAT(refusal(TreeFormat::kXgboostBinary, bytes), HasSubstr("bytes expected"));
}

TEST(LightgbmFile, RefusesWhatIsBroken) {
  const std::string good(kLightgbm);
  const auto format = TreeFormat::kLightgbmText;
  EXPECT_THAT(refusal(format, replaced(good, "end of trees", "end of")), HasSubstr("the file is cut off"));
  EXPECT_THAT(refusal(format, replaced(good, "left_child=-1", "left_child=0")), HasSubstr("two parents"));
  EXPECT_THAT(refusal(format, replaced(good, "left_child=-1", "left_child=-9")), HasSubstr("child -9"));
  EXPECT_THAT(refusal(format, replaced(good, "num_leaves=2", "num_leaves=9999999999")), HasSubstr("'num_leaves'"));
  EXPECT_THAT(refusal(format, replaced(good, "leaf_value=1 2", "leaf_value=1 x")), HasSubstr("'leaf_value' holds 'x'"));
  EXPECT_THAT(refusal(format, replaced(good, "split_feature=1", "split_feature=5")), HasSubstr("feature 5"));
  EXPECT_THAT(refusal(format, replaced(good, "objective=regression", "objective=mine")), HasSubstr("objective 'mine'"));
}

TEST(CatboostFile, NamesTheFeaturesThatItCannotCompute) {
  const auto text =
      replaced(std::string(kCatboost), "\"float_features\"",
               "\"ctrs\":[{}],\"categorical_features\":[{\"feature_id\":\"city\",\"flat_feature_index\":1}],"
               "\"float_features\"");
  EXPECT_THAT(refusal(TreeFormat::kCatboostJson, text), AllOf(HasSubstr("'city'"), HasSubstr("one_hot_max_size")));
  EXPECT_THAT(refusal(TreeFormat::kCatboostJson, replaced(std::string(kCatboost), "[1,2]", "[1,2,3]")),
              HasSubstr("3 leaf values for 1 splits"));
}

TEST(CategoryHash, IsTheLibrarys) {
  // Split values of models that CatBoost 1.2.10 trained on these categories.
  EXPECT_EQ(category_hash("x"), 3510494104U);
  EXPECT_EQ(category_hash("yy"), 2854784352U);
  EXPECT_EQ(category_hash("5"), 3014803941U);
  EXPECT_EQ(category_hash("qqqqqqqqqq"), 3523615836U);
}

}  // namespace
}  // namespace protean
