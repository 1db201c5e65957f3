// SPDX-License-Identifier: Apache-2.0
#include "backends/trees/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "backends/trees/tree_files_test_support.h"

namespace protean {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A file of its own folder, gone with the test.
class TreesBackend : public testing::Test {
 protected:
  TreesBackend() {
    std::string name = (std::filesystem::temp_directory_path() / "protean-trees-XXXXXX").native();
    folder_ = ::mkdtemp(name.data());
  }
  ~TreesBackend() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(std::string_view bytes) {
    std::ofstream(folder_ / "model", std::ios::binary) << bytes;
    return folder_ / "model";
  }
  Result<std::unique_ptr<Model>> load(std::string_view bytes) {
    return make_trees_backend()->load({"m", "3", write(bytes), folder_}, {});
  }

  std::filesystem::path folder_;
};

Tensor matrix(std::vector<float> numbers, std::int64_t columns) {
  Buffer bytes;
  bytes.append(numbers.data(), numbers.size() * sizeof(float));
  return {DataType::kFp32, {static_cast<std::int64_t>(numbers.size()) / columns, columns}, std::move(bytes).share()};
}

std::vector<float> floats(const Tensor& tensor) {
  std::vector<float> out(tensor.data.size() / sizeof(float));
  std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

TEST_F(TreesBackend, RecognisesFilesByContent) {
  const auto backend = make_trees_backend();
  EXPECT_TRUE(*backend->recognises(write(test::kXgboost)));
  EXPECT_FALSE(*backend->recognises(write("hello")));
  EXPECT_FALSE(*backend->recognises(folder_));
  EXPECT_EQ(backend->recognises(folder_ / "none").error().code, Code::kNotFound);
}

TEST_F(TreesBackend, SaysWhichModelIsBroken) {
  const auto loaded = load(std::string(test::kXgboost.substr(0, 300)));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kInvalidArgument);
  EXPECT_THAT(loaded.error().message, AllOf(HasSubstr("malformed JSON"), HasSubstr("(model m, version 3)")));
}

TEST_F(TreesBackend, RefusesFilesBeyondItsLimit) {
  TreesOptions options;
  options.file_bytes_max = 10;
  const auto loaded = make_trees_backend(options)->load({"m", "3", write(test::kXgboost), folder_}, {});
  EXPECT_THAT(loaded.error().message, HasSubstr("expected at most 10"));
}

TEST_F(TreesBackend, RefusesAModelWithoutFeatures) {
  const auto loaded = load(R"({"features_info":{},"oblivious_trees":[],"scale_and_bias":[1,[0]],"model_info":{}})");
  EXPECT_THAT(loaded.error().message, HasSubstr("the model has no features"));
}

TEST_F(TreesBackend, TellsItsSignature) {
  const auto model = load(test::kXgboost);
  ASSERT_TRUE(model) << model.error().message;
  const auto& signature = (*model)->signature();
  EXPECT_EQ(signature.platform, "xgboost_json");
  ASSERT_EQ(signature.inputs.size(), 1U);
  EXPECT_EQ(signature.inputs[0].shape, (Shape{-1, 2}));
  std::vector<std::string> names;
  std::vector<bool> on_request;
  for (const auto& output : signature.outputs) {
    names.push_back(output.name);
    on_request.push_back(output.on_request);
  }
  EXPECT_THAT(names, ElementsAre("prediction", "margin", "leaf_index", "contributions", "probabilities"));
  EXPECT_THAT(on_request, ElementsAre(false, true, true, true, true));
  ASSERT_EQ(signature.columns.size(), 2U);
  EXPECT_EQ(signature.columns[1].name, "b");
  EXPECT_EQ(signature.columns[1].type, DataType::kInt64);
}

TEST_F(TreesBackend, AnswersWhatIsAsked) {
  const auto model = load(test::kXgboost);
  const auto input = matrix({0, 0, 0, 1, 0, NAN}, 2);
  const Tensor* inputs[] = {&input};
  const std::size_t outputs[] = {4, 0, 2, 1, 3};
  const auto answers = (*model)->run({inputs, outputs, {}});
  ASSERT_TRUE(answers);
  const float low = 1 / (std::exp(1.0F) + 1);
  const float high = 1 / (std::exp(-1.0F) + 1);
  EXPECT_THAT(floats((*answers)[0]), ElementsAre(1 - low, low, 1 - high, high, 1 - low, low));
  EXPECT_THAT(floats((*answers)[1]), ElementsAre(low, high, low));
  EXPECT_EQ((*answers)[1].shape, (Shape{3}));
  EXPECT_EQ((*answers)[2].type, DataType::kInt32);
  EXPECT_THAT(floats((*answers)[3]), ElementsAre(-1, 1, -1));
  // The mean is (3 * -1 + 1) / 4.
  EXPECT_THAT(floats((*answers)[4]), ElementsAre(0, -0.5F, -0.5F, 0, 1.5F, -0.5F, 0, -0.5F, -0.5F));
}

TEST_F(TreesBackend, AnswersNoRows) {
  const auto model = load(test::kXgboost);
  const Tensor input{DataType::kFp32, {0, 2}, {}};
  const Tensor* inputs[] = {&input};
  const std::size_t outputs[] = {0, 1, 2, 3, 4};
  const auto answers = (*model)->run({inputs, outputs, {}});
  ASSERT_TRUE(answers);
  for (const auto& answer : *answers) EXPECT_EQ(answer.shape[0], 0);
}

TEST_F(TreesBackend, ExplainsWithAndWithoutABackground) {
  const auto model = load(test::kXgboost);
  const auto input = matrix({0, 1}, 2);
  const Tensor* inputs[] = {&input};
  const auto alone = (*model)->explain({inputs, {}, {}});
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->method, "tree_shap");
  EXPECT_THAT(alone->features, ElementsAre("a", "b"));
  const auto background = matrix({0, 0}, 2);
  const Tensor* backgrounds[] = {&background};
  const auto against = (*model)->explain({inputs, {}, {}, backgrounds});
  ASSERT_TRUE(against);
  double values[2];
  std::memcpy(values, against->values.data.data(), sizeof values);
  EXPECT_EQ(values[0], 0);
  EXPECT_EQ(values[1], 2);
}

TEST_F(TreesBackend, CountsTheTablesOfContributionsOnceTheyAreThere) {
  const auto model = load(test::kXgboost);
  const auto before = (*model)->memory().private_bytes;
  const auto input = matrix({0, 1}, 2);
  const Tensor* inputs[] = {&input};
  const std::size_t prediction[] = {0};
  ASSERT_TRUE((*model)->run({inputs, prediction, {}}));
  EXPECT_EQ((*model)->memory().private_bytes, before);
  const std::size_t contributions[] = {3};
  ASSERT_TRUE((*model)->run({inputs, contributions, {}}));
  // Three nodes' edges: two doubles and four numbers of 32 bits each.
  EXPECT_GE((*model)->memory().private_bytes, before + 3 * 32);
}

TEST_F(TreesBackend, CountsColumnsAndCategories) {
  std::string text(test::kXgboost);
  const auto short_names = (*load(text))->memory().private_bytes;
  const auto at = text.find("\"feature_names\"");
  const auto name = text.find("\"a\"", at);
  ASSERT_NE(name, std::string::npos);
  text.replace(name, 3, '"' + std::string(10'000, 'n') + '"');
  EXPECT_GE((*load(text))->memory().private_bytes, short_names + 10'000);
}

/// The base is 0.5; three weights of two features and what is added.
constexpr std::string_view kLinear =
    R"({"learner":{"attributes":{},"feature_names":["a","b"],"feature_types":["float","int"],"gradient_booster":)"
    R"({"model":{"boosted_rounds":1,"weights":[2,-3,0.25]},"name":"gblinear"},"learner_model_param":)"
    R"({"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},)"
    R"("objective":{"name":"reg:squarederror"}},"version":[3,2,0]})";

TEST_F(TreesBackend, ServesALinearModelWithExactContributions) {
  const auto model = load(kLinear);
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ((*model)->signature().outputs.size(), 3U);
  EXPECT_EQ((*model)->signature().outputs[2].name, "contributions");
  const auto input = matrix({1, 1, NAN, 2}, 2);
  const Tensor* inputs[] = {&input};
  const std::size_t outputs[] = {0, 2};
  const auto answers = (*model)->run({inputs, outputs, {}});
  ASSERT_TRUE(answers);
  EXPECT_THAT(floats((*answers)[0]), ElementsAre(-0.25F, -5.25F));
  EXPECT_THAT(floats((*answers)[1]), ElementsAre(2, -3, 0.75F, 0, -6, 0.75F));
  const auto background = matrix({0, 0, 2, 0}, 2);
  const Tensor* backgrounds[] = {&background};
  const auto against = (*model)->explain({inputs, {}, {}, backgrounds});
  ASSERT_TRUE(against);
  EXPECT_EQ(against->method, "linear");
  double values[4];
  std::memcpy(values, against->values.data.data(), sizeof values);
  EXPECT_THAT(values, ElementsAre(0, -3, -2, -6));
  double base = 0;
  std::memcpy(&base, against->base.data.data(), sizeof base);
  EXPECT_EQ(base, 2.75);
}

TEST_F(TreesBackend, RefusesALinearModelWithOtherThanItsWeights) {
  std::string text(kLinear);
  text.replace(text.find("2,-3,0.25"), 9, "2,-3");
  EXPECT_THAT(load(text).error().message, HasSubstr("gblinear has 2 weights, expected 3"));
}

TEST_F(TreesBackend, TakesOneInputAColumnWhereCategoriesAreTexts) {
  const std::string text =
      R"({"features_info":{"categorical_features":[{"feature_id":"c","feature_index":0,"flat_feature_index":0,)"
      R"("values":[-784473192]}]},"model_info":{},"oblivious_trees":[{"leaf_values":[1,2],"splits":)"
      R"([{"cat_feature_index":0,"split_index":0,"split_type":"OneHotFeature","value":-784473192}]}],)"
      R"("scale_and_bias":[1,[0]]})";
  const auto model = load(text);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->signature().inputs[0].type, DataType::kBytes);
  Buffer bytes;
  append_bytes_element(bytes, "x");
  append_bytes_element(bytes, "z");
  const Tensor input{DataType::kBytes, {2}, std::move(bytes).share()};
  const Tensor* inputs[] = {&input};
  const std::size_t outputs[] = {0};
  const auto answers = (*model)->run({inputs, outputs, {}});
  ASSERT_TRUE(answers);
  double found[2];
  std::memcpy(found, (*answers)[0].data.data(), sizeof found);
  EXPECT_THAT(found, ElementsAre(2, 1));
}

}  // namespace
}  // namespace protean
