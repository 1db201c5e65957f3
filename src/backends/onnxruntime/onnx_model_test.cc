// SPDX-License-Identifier: Apache-2.0
// Models of tests/data/models through the real library. Expected values are worked out by hand.
#include "backends/onnxruntime/onnx_model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "backends/onnxruntime/onnx_test_support.h"

namespace protean {
namespace {

using namespace onnx_test;  // NOLINT(google-build-using-namespace)
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Sends `input` through a model that gives back what it gets.
void expect_round_trip(const std::string& name, const Tensor& input) {
  SCOPED_TRACE(name);
  auto model = load_good(name);
  ASSERT_EQ(model->signature().inputs.size(), 1U);
  EXPECT_EQ(model->signature().inputs[0].type, input.type);
  const auto result = run(*model, {&input});
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(result->size(), 1U);
  EXPECT_EQ((*result)[0].type, input.type);
  EXPECT_EQ((*result)[0].shape, input.shape);
  EXPECT_EQ((*result)[0].data.text(), input.data.text());
}

template <typename T>
void expect_type(const std::string& name, DataType type, const std::vector<T>& values) {
  expect_round_trip("identity_" + name, tensor(type, {static_cast<std::int64_t>(values.size())}, values));
  expect_round_trip("identity_" + name, tensor<T>(type, {0}, {}));
}

template <typename T>
std::vector<T> extremes() {
  return {std::numeric_limits<T>::lowest(), T{0}, T{1}, std::numeric_limits<T>::max()};
}

TEST(OnnxModel, CarriesEveryDataTypeUnchanged) {
  expect_type<std::uint8_t>("bool", DataType::kBool, {0, 1, 1});
  expect_type("int8", DataType::kInt8, extremes<std::int8_t>());
  expect_type("int16", DataType::kInt16, extremes<std::int16_t>());
  expect_type("int32", DataType::kInt32, extremes<std::int32_t>());
  expect_type("int64", DataType::kInt64, extremes<std::int64_t>());
  expect_type("uint8", DataType::kUint8, extremes<std::uint8_t>());
  expect_type("uint16", DataType::kUint16, extremes<std::uint16_t>());
  expect_type("uint32", DataType::kUint32, extremes<std::uint32_t>());
  expect_type("uint64", DataType::kUint64, extremes<std::uint64_t>());
  expect_type<std::uint16_t>("fp16", DataType::kFp16, {0x3C00, 0xC100, 0x7C00, 0x7E01});  // 1, -2.5, inf, a NaN
  expect_type<std::uint16_t>("bf16", DataType::kBf16, {0x3F80, 0xC020, 0x7F80});          // 1, -2.5, inf
  expect_type<float>("fp32", DataType::kFp32, {-0.0F, 1.5F, INFINITY, -3.4e38F});
  expect_type<double>("fp64", DataType::kFp64, {-0.0, 1e-300, INFINITY, 0.1});
}

TEST(OnnxModel, CarriesTextOfAnyBytes) {
  const std::vector<std::string> rows = {"", "ab", std::string("a\0b", 3), "\xC3\xA9", std::string(300, 'x')};
  expect_round_trip("identity_bytes", texts({5}, rows));
  expect_round_trip("identity_bytes", texts({0}, {}));
  expect_round_trip("identity_bytes_2d", texts({2, 2}, {"a", "", "c", "d"}));
}

TEST(OnnxModel, CarriesEmptyMatrices) {
  expect_round_trip("identity_fp32_2d", floats({0, 3}, {}));
  expect_round_trip("identity_fp32_2d", floats({3, 0}, {}));
}

TEST(OnnxModel, TakesAnyRankWhereTheModelNamesNoShape) {
  auto model = load_good("identity_any_rank");
  EXPECT_TRUE(model->signature().inputs[0].any_rank);
  EXPECT_TRUE(model->signature().inputs[0].shape.empty());
  expect_round_trip("identity_any_rank", floats({}, {7}));
  expect_round_trip("identity_any_rank", floats({2, 1, 1}, {1, 2}));
}

TEST(OnnxModel, TakesScalars) {
  auto model = load_good("scalar");
  EXPECT_FALSE(model->signature().inputs[0].any_rank);
  EXPECT_TRUE(model->signature().inputs[0].shape.empty());
  const auto x = floats({}, {2.5F});
  const auto result = run(*model, {&x});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE((*result)[0].shape.empty());
  EXPECT_THAT(values<float>((*result)[0]), ElementsAre(3.5F));
}

TEST(OnnxModel, ReturnsTheOutputsAskedForInTheirOrder) {
  auto model = load_good("sum_two");
  const auto a = floats({1, 3}, {1, 2, 3});
  const auto b = floats({1, 3}, {10, 20, 30});
  const auto both = run(*model, {&a, &b}, {1, 0});
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_THAT(values<float>((*both)[0]), ElementsAre(-9, -18, -27));
  EXPECT_THAT(values<float>((*both)[1]), ElementsAre(11, 22, 33));
  const auto one = run(*model, {&a, &b}, {1});
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_EQ(one->size(), 1U);
  EXPECT_THAT(values<float>((*one)[0]), ElementsAre(-9, -18, -27));
}

TEST(OnnxModel, DescribesShapesAndPlatform) {
  const auto model = load_good("sum_two");
  EXPECT_EQ(model->signature().platform, "onnx_onnxv1");
  EXPECT_EQ(model->signature().inputs[1].name, "b");
  EXPECT_THAT(model->signature().inputs[1].shape, ElementsAre(-1, 3));
  const auto fixed = load_good("fixed_shape");
  EXPECT_THAT(fixed->signature().inputs[0].shape, ElementsAre(2, 3));
}

TEST(OnnxModel, UsesTheDefaultOfAnInputLeftOut) {
  auto model = load_good("optional_input");
  ASSERT_EQ(model->signature().inputs.size(), 2U);
  EXPECT_EQ(model->signature().inputs[1].name, "bias");
  EXPECT_FALSE(model->signature().inputs[0].optional);
  EXPECT_TRUE(model->signature().inputs[1].optional);
  const auto x = floats({2}, {1, 2});
  const auto bias = floats({1}, {5});
  const auto without = run(*model, {&x, nullptr});
  ASSERT_TRUE(without) << without.error().message;
  EXPECT_THAT(values<float>((*without)[0]), ElementsAre(11, 12));
  const auto with = run(*model, {&x, &bias});
  ASSERT_TRUE(with) << with.error().message;
  EXPECT_THAT(values<float>((*with)[0]), ElementsAre(6, 7));
}

TEST(OnnxModel, FlattensMapsWithTextKeysInTheOrderOfTheLabels) {
  auto model = load_good("zip_map");
  const auto& output = model->signature().outputs[1];
  EXPECT_EQ(output.name, "probabilities");
  EXPECT_EQ(output.type, DataType::kFp32);
  EXPECT_THAT(output.shape, ElementsAre(-1, 3));
  ASSERT_EQ(output.parameters.size(), 1U);
  EXPECT_EQ(output.parameters[0].first, "class_labels");
  EXPECT_EQ(std::get<std::string>(output.parameters[0].second), R"(["cat","dog","eel"])");
  const auto x = floats({2, 3}, {0.25F, 0.5F, 0.125F, 8, 4, 2});
  const auto result = run(*model, {&x});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(values<std::int64_t>((*result)[0]), ElementsAre(1, 0));
  EXPECT_THAT((*result)[1].shape, ElementsAre(2, 3));
  EXPECT_THAT(values<float>((*result)[1]), ElementsAre(0.25F, 0.5F, 0.125F, 8, 4, 2));
}

TEST(OnnxModel, FlattensMapsWithNumberKeysWithoutSortingThem) {
  auto model = load_good("map_int");
  EXPECT_EQ(std::get<std::string>(model->signature().outputs[1].parameters[0].second), "[7,1,4]");
  const auto x = floats({1, 3}, {0.25F, 0.5F, 0.125F});
  const auto result = run(*model, {&x}, {1});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(values<float>((*result)[0]), ElementsAre(0.25F, 0.5F, 0.125F));
}

TEST(OnnxModel, ReportsScoresThatDoNotFitTheLabels) {
  const TemporaryFolder folder;
  const auto labels = text_field(
      5, text_field(1, "classlabels_int64s") + number_field(8, 1) + number_field(8, 2) + number_field(20, 7));
  const auto zip = node("ZipMap", {"x"}, {"y"}, labels + text_field(7, "ai.onnx.ml"));
  const auto tensor_type = number_field(1, 1);
  const auto map = text_field(5, number_field(1, 7) + text_field(2, text_field(1, tensor_type)));
  const auto graph = text_field(1, zip) + text_field(2, "g") + text_field(11, value_info("x", 1, {-1, -1})) +
                     text_field(12, text_field(1, "y") + text_field(2, text_field(4, text_field(1, map))));
  auto loaded = load(folder.write("m.onnx", onnx_test::model(graph)));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_THAT((*loaded)->signature().outputs[0].shape, ElementsAre(-1, 2));
  const auto fits = floats({1, 2}, {3, 4});
  EXPECT_TRUE(run(**loaded, {&fits}));
  const auto wide = floats({1, 3}, {3, 4, 5});
  const auto result = run(**loaded, {&wide});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInternal);
  EXPECT_THAT(result.error().message, HasSubstr("shape [1,3], expected 2 scores a row"));
}

TEST(OnnxModel, ReadsUnalignedInput) {
  auto model = load_good("identity_fp32_2d");
  Buffer body;
  body.append("x");  // the tensor starts at an odd address
  const std::vector<float> numbers = {1.5F, -2};
  body.append(numbers.data(), 8);
  const auto whole = std::move(body).share();
  const Tensor input{DataType::kFp32, {1, 2}, whole.part(1, 8)};
  const auto result = run(*model, {&input});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(values<float>((*result)[0]), ElementsAre(1.5F, -2));
}

TEST(OnnxModel, OutputOutlivesTheModel) {
  std::vector<Tensor> outputs;
  {
    auto model = load_good("fixed_shape");
    const auto x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
    auto result = run(*model, {&x});
    ASSERT_TRUE(result) << result.error().message;
    outputs = *std::move(result);
  }
  EXPECT_THAT(values<float>(outputs[0]), ElementsAre(2, 4, 6, 8, 10, 12));
}

TEST(OnnxModel, OutputThatIsTheInputKeepsTheRequestsMemory) {
  const TemporaryFolder folder;
  const auto info = value_info("x", 1, {-1});
  const auto graph = text_field(2, "g") + text_field(11, info) + text_field(12, info);
  auto model = load(folder.write("m.onnx", onnx_test::model(graph)));
  ASSERT_TRUE(model) << model.error().message;
  std::vector<Tensor> outputs;
  {
    const auto x = floats({2}, {3, 4});
    auto result = run(**model, {&x});
    ASSERT_TRUE(result) << result.error().message;
    outputs = *std::move(result);
  }
  EXPECT_THAT(values<float>(outputs[0]), ElementsAre(3, 4));
}

TEST(OnnxModel, OutputThatIsAConstantOutlivesTheModel) {
  const TemporaryFolder folder;
  const auto constant = number_field(1, 2) + number_field(2, 1) + text_field(8, "y") +
                        text_field(9, std::string("\0\0\x80\x3F\0\0\0\x40", 8));  // 1, 2
  const auto graph = text_field(2, "g") + text_field(5, constant) + text_field(11, value_info("x", 1, {-1})) +
                     text_field(12, value_info("y", 1, {2}));
  std::vector<Tensor> outputs;
  {
    auto model = load(folder.write("m.onnx", onnx_test::model(graph)));
    ASSERT_TRUE(model) << model.error().message;
    const auto x = floats({1}, {3});
    auto result = run(**model, {&x});
    ASSERT_TRUE(result) << result.error().message;
    outputs = *std::move(result);
  }
  EXPECT_THAT(values<float>(outputs[0]), ElementsAre(1, 2));
}

TEST(OnnxModel, ShapesMayDependOnTheData) {
  auto model = load_good("data_dependent_shape");
  const auto x = floats({4}, {0, 5, 0, 7});
  const auto result = run(*model, {&x});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT((*result)[0].shape, ElementsAre(2, 1));
  EXPECT_THAT(values<std::int64_t>((*result)[0]), ElementsAre(1, 3));
  const auto zeros = floats({2}, {0, 0});
  const auto none = run(*model, {&zeros});
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_THAT((*none)[0].shape, ElementsAre(0, 1));
  EXPECT_TRUE((*none)[0].data.empty());
}

TEST(OnnxModel, ReportsAnOutputThatNoMemoryHolds) {
  const TemporaryFolder folder;
  const auto nodes = text_field(1, node("ConstantOfShape", {"x"}, {"y"}));
  const auto graph =
      nodes + text_field(2, "g") + text_field(11, value_info("x", 7, {1})) + text_field(12, value_info("y", 1, {-1}));
  auto model = load(folder.write("m.onnx", onnx_test::model(graph)));
  ASSERT_TRUE(model) << model.error().message;
  const auto huge = tensor<std::int64_t>(DataType::kInt64, {1}, {std::int64_t{1} << 45});
  const auto result = run(**model, {&huge});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kResourceExhausted) << result.error().message;
  const auto small = tensor<std::int64_t>(DataType::kInt64, {1}, {2});
  const auto again = run(**model, {&small});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_THAT(values<float>((*again)[0]), ElementsAre(0, 0));
}

TEST(OnnxModel, BlamesTheInputForWhatItCausedAndServesOn) {
  auto model = load_good("fails_at_run");
  const auto beyond = tensor<std::int64_t>(DataType::kInt64, {1}, {7});
  const auto result = run(*model, {&beyond});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
  EXPECT_THAT(result.error().message, HasSubstr("idx=7"));
  const auto good = tensor<std::int64_t>(DataType::kInt64, {2}, {2, 0});
  const auto again = run(*model, {&good});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_THAT(values<float>((*again)[0]), ElementsAre(30, 10));
}

}  // namespace
}  // namespace protean
