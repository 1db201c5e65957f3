// SPDX-License-Identifier: Apache-2.0
#include "core/table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace protean {
namespace {

template <typename T>
Tensor tensor(DataType type, Shape shape, std::vector<T> values) {
  Buffer data;
  data.append(values.data(), values.size() * sizeof(T));
  return {type, std::move(shape), std::move(data).share()};
}

Tensor texts(const std::vector<std::string>& values) {
  Buffer data;
  for (const auto& value : values) append_bytes_element(data, value);
  return {DataType::kBytes, {static_cast<std::int64_t>(values.size())}, std::move(data).share()};
}

InferInput input(std::string name, Tensor value, std::vector<std::size_t> nulls = {}, bool untyped = false) {
  return {std::move(name), std::move(value), {}, std::move(nulls), untyped};
}

/// Sold houses: an area, a number of rooms that may be missing, a kind, and whether there is a garden.
Signature houses(DataType matrix = DataType::kFp32) {
  Signature signature;
  signature.inputs = {{"x", matrix, {-1, 4}, {}}};
  signature.columns = {{"area", DataType::kFp32},
                       {"rooms", DataType::kInt64, true},
                       {"kind", DataType::kBytes, true, {"flat", "house", "loft"}},
                       {"garden", DataType::kBool}};
  return signature;
}

InferRequest two_houses() {
  InferRequest request;
  request.inputs.push_back(input("kind", texts({"loft", "flat"})));
  request.inputs.push_back(input("garden", tensor<std::uint8_t>(DataType::kBool, {2, 1}, {1, 0})));
  request.inputs.push_back(input("area", tensor<double>(DataType::kFp64, {2}, {80.5, 41.0})));
  request.inputs.push_back(input("rooms", tensor<std::int32_t>(DataType::kInt32, {2}, {3, 1})));
  return request;
}

template <typename T>
std::vector<T> values_of(const Tensor& from) {
  std::vector<T> out(from.data.size() / sizeof(T));
  std::memcpy(out.data(), from.data.data(), from.data.size());
  return out;
}

std::string error_of(InferRequest request, const Signature& signature = houses()) {
  const auto mapped = map_table(request, signature);
  return mapped ? "mapped" : mapped.error().message;
}

TEST(MapTable, PutsColumnsOfAnyOrderAndTypeIntoTheMatrix) {
  InferRequest request = two_houses();
  ASSERT_TRUE(map_table(request, houses()));
  ASSERT_EQ(request.inputs.size(), 1U);
  EXPECT_EQ(request.inputs[0].name, "x");
  EXPECT_EQ(request.inputs[0].tensor.shape, (Shape{2, 4}));
  EXPECT_EQ(values_of<float>(request.inputs[0].tensor), (std::vector<float>{80.5F, 3, 2, 1, 41, 1, 0, 0}));
}

TEST(MapTable, LeavesTheModelsOwnInputAlone) {
  InferRequest request;
  request.inputs.push_back(input("x", tensor<float>(DataType::kFp32, {1, 4}, {1, NAN, 2, 0})));
  const std::byte* before = request.inputs[0].tensor.data.data();
  ASSERT_TRUE(map_table(request, houses()));
  EXPECT_EQ(request.inputs[0].tensor.data.data(), before);
}

TEST(MapTable, ConvertsAMatrixOfAnotherNumberType) {
  InferRequest request;
  request.inputs.push_back(input("x", tensor<double>(DataType::kFp64, {1, 4}, {0.1, 2, 1, 0})));
  ASSERT_TRUE(map_table(request, houses()));
  EXPECT_EQ(values_of<float>(request.inputs[0].tensor), (std::vector<float>{0.1F, 2, 1, 0}));
  InferRequest beyond;
  beyond.inputs.push_back(input("x", tensor<double>(DataType::kFp64, {1, 4}, {0, 1e39, 1, 0})));
  EXPECT_EQ(error_of(std::move(beyond)), "input 'x': element 1 is 1e+39, expected FP32");
}

TEST(MapTable, MakesMissingValuesNanWhereTheColumnMayBeMissing) {
  InferRequest request = two_houses();
  request.inputs[0].nulls = {1};
  request.inputs[3] = input("rooms", tensor<double>(DataType::kFp64, {2}, {NAN, 2}));
  ASSERT_TRUE(map_table(request, houses()));
  const auto found = values_of<float>(request.inputs[0].tensor);
  EXPECT_TRUE(std::isnan(found[1]));
  EXPECT_EQ(found[2], 2);
  EXPECT_TRUE(std::isnan(found[6]));
}

TEST(MapTable, RefusesMissingValuesElsewhereByColumnAndRow) {
  InferRequest request = two_houses();
  request.inputs[2].nulls = {1};
  EXPECT_EQ(error_of(request), "column 'area': row 1 is missing (null or NaN), expected FP32");
  InferRequest matrix;
  matrix.inputs.push_back(input("x", tensor<float>(DataType::kFp32, {2, 4}, {1, 1, 1, 1, 1, 1, 1, NAN}), {7}));
  EXPECT_EQ(error_of(matrix), "column 'garden': row 1 is missing (null or NaN), expected BOOL");
}

TEST(MapTable, AColumnThatMayBeMissingMayBeLeftOutUnlessItIsRequired) {
  InferRequest request = two_houses();
  request.inputs.pop_back();
  Signature signature = houses();
  ASSERT_EQ(error_of(request, signature), "mapped");
  signature.columns[1].required = true;
  EXPECT_EQ(error_of(request, signature), "column 'rooms' is missing: expected INT64 or null");
  request = two_houses();
  request.inputs.erase(request.inputs.begin() + 2);
  EXPECT_EQ(error_of(request), "column 'area' is missing: expected FP32");
  EXPECT_EQ(error_of({}), "column 'area' is missing: expected FP32");
}

TEST(MapTable, RefusesWhatTheColumnCannotHold) {
  InferRequest request = two_houses();
  request.inputs[3] = input("rooms", tensor<double>(DataType::kFp64, {2}, {3, 2.5}));
  EXPECT_EQ(error_of(request), "column 'rooms': row 1 is 2.5, expected INT64");
  request = two_houses();
  request.inputs[0] = input("kind", texts({"loft", "castle"}));
  EXPECT_EQ(error_of(request), "column 'kind': row 1 is \"castle\", expected one of 'flat', 'house', 'loft'");
  request.inputs[0] = input("kind", tensor<float>(DataType::kFp32, {2}, {1, 2}));
  EXPECT_EQ(error_of(request), "column 'kind': row 0 is 1, expected a text, one of 'flat', 'house', 'loft'");
  request = two_houses();
  request.inputs[2] = input("area", texts({"80", "41"}));
  EXPECT_EQ(error_of(request), "column 'area': row 0 is \"80\", expected FP32");
}

TEST(MapTable, AnUnknownCategoryIsMissingWhereTheColumnSaysSo) {
  Signature signature = houses();
  signature.columns[2].unknown_is_missing = true;
  InferRequest request = two_houses();
  request.inputs[0] = input("kind", texts({"loft", "castle"}));
  ASSERT_TRUE(map_table(request, signature));
  EXPECT_TRUE(std::isnan(values_of<float>(request.inputs[0].tensor)[6]));
}

TEST(MapTable, LooksUpNumbersThatNameCategories) {
  Signature signature = houses();
  signature.columns[2] = {"kind", DataType::kInt64, false, {"10", "20"}};
  InferRequest request = two_houses();
  request.inputs[0] = input("kind", tensor<std::int64_t>(DataType::kInt64, {2}, {20, 10}));
  ASSERT_TRUE(map_table(request, signature));
  EXPECT_EQ(values_of<float>(request.inputs[0].tensor)[2], 1);
  EXPECT_EQ(values_of<float>(request.inputs[0].tensor)[6], 0);
}

TEST(MapTable, NamesColumnsThatDoNotFit) {
  InferRequest request = two_houses();
  request.inputs[3].name = "room";
  EXPECT_EQ(error_of(request),
            "unknown column 'room', did you mean 'rooms'?: the model has 'area', 'rooms', 'kind', "
            "'garden'");
  request = two_houses();
  request.inputs.push_back(request.inputs[0]);
  EXPECT_EQ(error_of(request), "column 'kind' is given twice");
  request = two_houses();
  request.inputs[3] = input("rooms", tensor<std::int32_t>(DataType::kInt32, {3}, {3, 1, 2}));
  EXPECT_EQ(error_of(request), "column 'rooms': 3 rows, but column 'kind' has 2");
  request.inputs[3] = input("rooms", tensor<std::int32_t>(DataType::kInt32, {1, 2}, {3, 1}));
  EXPECT_EQ(error_of(request), "column 'rooms': shape [1,2], expected [-1] or [-1,1]");
}

TEST(MapTable, RefusesATableThatManyMissingColumnsBlowUp) {
  Signature signature;
  signature.inputs = {{"x", DataType::kFp64, {-1, 1024}, {}}};
  for (int i = 0; i < 1024; ++i) signature.columns.push_back({"c" + std::to_string(i), DataType::kFp64, true});
  InferRequest request;
  request.inputs.push_back(
      input("c0", tensor<std::uint8_t>(DataType::kUint8, {200'000}, std::vector<std::uint8_t>(200'000))));
  const auto mapped = map_table(request, signature);
  ASSERT_FALSE(mapped);
  EXPECT_EQ(mapped.error().code, Code::kResourceExhausted);
}

TEST(MapTable, ChecksTheBytesOfAColumnBeforeItReadsThem) {
  InferRequest request = two_houses();
  request.inputs[3].tensor.shape = {2'000'000};
  EXPECT_NE(error_of(request), "mapped");
  request = two_houses();
  Buffer broken;
  broken.append("\xFF\xFF\xFF\x7Fx");
  request.inputs[0].tensor.data = std::move(broken).share();
  EXPECT_NE(error_of(request), "mapped");
}

TEST(MapTable, GivesOneInputAColumnWhereTheModelWantsThem) {
  Signature signature;
  signature.inputs = {{"area", DataType::kFp64, {-1}, {}}, {"kind", DataType::kBytes, {-1, 1}, {}}};
  signature.columns = {{"area", DataType::kFp64}, {"kind", DataType::kBytes, true}};
  InferRequest request;
  request.inputs.push_back(input("kind", texts({"a", ""}), {1}));
  request.inputs.push_back(input("area", tensor<std::int64_t>(DataType::kInt64, {2}, {1, 2}), {}, true));
  ASSERT_TRUE(map_table(request, signature));
  ASSERT_EQ(request.inputs.size(), 2U);
  EXPECT_EQ(values_of<double>(request.inputs[0].tensor), (std::vector<double>{1, 2}));
  EXPECT_EQ(request.inputs[1].tensor.shape, (Shape{2, 1}));
  BytesReader read(request.inputs[1].tensor.data.bytes);
  EXPECT_EQ(read.next(), "a");
  EXPECT_EQ(read.next(), "");
}

TEST(MapTable, KeepsTheRulesOfFormatsWithASchema) {
  Signature signature = houses();
  signature.table_rules = {true, true};
  InferRequest request = two_houses();
  request.inputs.push_back(input("price", tensor<float>(DataType::kFp32, {1}, {1})));
  EXPECT_EQ(error_of(request, signature), "column 'area': datatype FP64 does not convert to FP32 without loss");
  request.inputs[2].untyped = true;
  EXPECT_EQ(error_of(request, signature), "mapped");
}

TEST(RefuseNulls, TellsWhichElementOfATensorWithoutNanWasNull) {
  InferRequest request;
  request.inputs.push_back(input("x", tensor<float>(DataType::kFp32, {1}, {NAN}), {0}));
  EXPECT_TRUE(refuse_nulls(request));
  request.inputs.push_back(input("s", texts({"a", ""}), {1}));
  EXPECT_EQ(refuse_nulls(request).error().message,
            "inputs[1] 's': element 1 of data is null, expected a string for BYTES");
}

TEST(WithColumns, ChangesThoseNamedAndRenamesAll) {
  ColumnConfig kind{"kind", {}, false, {}, std::vector<std::string>{"a", "b"}, {}};
  auto changed = with_columns(houses(), {&kind, 1});
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->columns[2].categories, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(changed->columns[2].nullable);
  const std::vector<ColumnConfig> names = {{"a"}, {"b"}, {"c"}, {"d"}};
  changed = with_columns(houses(), names);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->columns[3].name, "d");
  EXPECT_EQ(changed->columns[3].type, DataType::kBool);
  const ColumnConfig nobody{"nobody"};
  EXPECT_EQ(with_columns(houses(), {&nobody, 1}).error().message,
            "unknown column 'nobody': the model has 'area', 'rooms', 'kind', 'garden'");
}

TEST(WithColumns, GivesColumnsToAMatrixThatHasNone) {
  Signature signature;
  signature.inputs = {{"x", DataType::kFp32, {-1, 2}, {}}};
  const std::vector<ColumnConfig> names = {{"a"}, {"b"}};
  const auto changed = with_columns(signature, names);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->columns[1].name, "b");
  EXPECT_TRUE(changed->columns[1].nullable);
  EXPECT_EQ(with_columns(signature, {names.data(), 1}).error().message,
            "1 columns are configured, but the model takes no matrix [-1,1]");
}

}  // namespace
}  // namespace protean
