// SPDX-License-Identifier: Apache-2.0
// The example models through the backend's contract.
#include "backends/scikit_learn/backend.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace protean {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::filesystem::path example(const std::string& path) {
  return std::filesystem::path(PROTEAN_SOURCE_DIR) / "examples" / "models" / path;
}

std::unique_ptr<Model> load(const std::string& path) {
  auto model = make_scikit_learn_backend()->load({"example", "1", example(path), example("")}, {});
  EXPECT_TRUE(model.has_value()) << model.error().message;
  return model ? *std::move(model) : nullptr;
}

Tensor texts(const std::vector<std::string>& values) {
  Buffer bytes;
  for (const auto& value : values) append_bytes_element(bytes, value);
  return {DataType::kBytes, {static_cast<std::int64_t>(values.size())}, std::move(bytes).share()};
}

Tensor numbers(const std::vector<double>& values) {
  Buffer bytes;
  bytes.append(values.data(), values.size() * sizeof(double));
  return {DataType::kFp64, {static_cast<std::int64_t>(values.size())}, std::move(bytes).share()};
}

TEST(ScikitLearnBackend, RecognisesItsFilesByContent) {
  const auto backend = make_scikit_learn_backend();
  EXPECT_TRUE(backend->recognises(example("wine_table/1/model.joblib")).value());
  EXPECT_TRUE(backend->recognises(example("iris_notes/1/model.skops")).value());
  EXPECT_FALSE(backend->recognises(example("digits.onnx")).value());
  EXPECT_FALSE(backend->recognises(example("wine_table")).value());
  EXPECT_EQ(backend->recognises(example("nothing")).error().code, Code::kNotFound);
}

TEST(ScikitLearnBackend, AsksForEachColumnOfATableWithTexts) {
  const auto model = load("wine_table/1/model.joblib");
  ASSERT_NE(model, nullptr);
  std::vector<std::string> columns;
  for (const auto& column : model->signature().columns) {
    columns.push_back(column.name + " " + std::string(data_type_name(column.type)) + (column.nullable ? "?" : ""));
  }
  EXPECT_THAT(columns,
              ElementsAre("alcohol FP64?", "flavanoids FP64?", "proline FP64?", "colour BYTES?", "strength BYTES?"));
  EXPECT_THAT(model->load_notes(), ElementsAre("joblib, zlib", HasSubstr("saved by scikit-learn 1.")));
  EXPECT_GT(model->memory().private_bytes, 0U);
}

TEST(ScikitLearnBackend, AnswersClassesAndProbabilities) {
  const auto model = load("wine_table/1/model.joblib");
  ASSERT_NE(model, nullptr);
  const std::vector<Tensor> inputs{numbers({13.5, 12.2}), numbers({3, 0.7}), numbers({1100, 500}),
                                   texts({"ruby", "deep"}), texts({"full", "never seen"})};
  std::vector<const Tensor*> pointers;
  for (const auto& input : inputs) pointers.push_back(&input);
  const std::vector<std::size_t> outputs{1, 0};
  const auto answers = model->run({pointers, outputs, {}});
  ASSERT_TRUE(answers.has_value()) << answers.error().message;
  EXPECT_THAT((*answers)[0].shape, ElementsAre(2, 3));
  BytesReader labels((*answers)[1].data.bytes);
  EXPECT_EQ(labels.next(), "class_0");
  EXPECT_EQ(labels.next(), "class_2");
  EXPECT_EQ(model->explain({pointers, outputs, {}}).error().code, Code::kUnimplemented);
}

TEST(ScikitLearnBackend, RefusesABrokenFileWithModelAndReason) {
  const auto path = std::filesystem::temp_directory_path() / "protean-broken.pkl";
  std::ofstream(path) << "csklearn.linear_model._base\nLinearRegression\n)R.";
  const auto model = make_scikit_learn_backend()->load({"m", "3", path, path}, {});
  std::filesystem::remove(path);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, Code::kInvalidArgument);
  EXPECT_EQ(model.error().message,
            "LinearRegression: no attribute 'coef_'; was it fitted before it was saved? (model m, version 3)");
}

}  // namespace
}  // namespace protean
