// SPDX-License-Identifier: Apache-2.0
// Every rule of check_request() broken once, and the order and views it hands on.
#include "serving/check_request.h"

#include <gtest/gtest.h>

#include <array>

namespace protean {
namespace {

Slice floats(std::size_t count) {
  Buffer buffer(count * sizeof(float));
  std::fill_n(reinterpret_cast<float*>(buffer.data()), count, 0.5F);
  return std::move(buffer).share();
}

Signature two_inputs() {
  Signature signature;
  signature.inputs = {{"a", DataType::kFp32, {-1, 4}, {}, false, false},
                      {"b", DataType::kFp32, {-1, 4}, {}, true, false}};
  signature.outputs = {{"sum", DataType::kFp32, {-1, 4}, {}, false, false},
                       {"difference", DataType::kFp32, {-1, 4}, {}, false, false}};
  return signature;
}

InferRequest request_for(std::string input, Shape shape, std::size_t count) {
  InferRequest request;
  request.inputs.push_back({std::move(input), {DataType::kFp32, std::move(shape), floats(count)}, {}});
  return request;
}

std::string message(const InferRequest& request) {
  const auto checked = check_request(request, two_inputs(), "model m, version 3");
  return checked ? "" : checked.error().message;
}

TEST(CheckRequest, PutsInputsInTheOrderOfTheSignature) {
  auto request = request_for("b", {2, 4}, 8);
  request.inputs.push_back({"a", {DataType::kFp32, {2, 4}, floats(8)}, {}});
  const auto checked = check_request(request, two_inputs(), "m");
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->inputs[0], &request.inputs[1].tensor);
  EXPECT_EQ(checked->inputs[1], &request.inputs[0].tensor);
  EXPECT_EQ(checked->outputs, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(checked->rows, 2U);
  EXPECT_EQ(checked->input_bytes, 64U);
}

TEST(CheckRequest, LeavesAnOptionalInputOut) {
  const auto request = request_for("a", {1, 4}, 4);
  const auto checked = check_request(request, two_inputs(), "m");
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->inputs[1], nullptr);
}

TEST(CheckRequest, LeavesOutWhatIsOnRequestUnlessItIsNamed) {
  auto signature = two_inputs();
  signature.outputs[0].on_request = true;
  auto request = request_for("a", {1, 4}, 4);
  EXPECT_EQ(check_request(request, signature, "m")->outputs, (std::vector<std::size_t>{1}));
  request.outputs = {{"sum", {}}, {"difference", {}}};
  EXPECT_EQ(check_request(request, signature, "m")->outputs, (std::vector<std::size_t>{0, 1}));
}

TEST(CheckRequest, NamesAMissingInput) {
  EXPECT_EQ(message(request_for("b", {1, 4}, 4)), "input 'a' is missing: expected FP32 [-1,4] (model m, version 3)");
}

TEST(CheckRequest, NamesAnUnknownInput) {
  EXPECT_EQ(message(request_for("x", {1, 4}, 4)), "unknown input 'x': the model has 'a', 'b' (model m, version 3)");
}

TEST(CheckRequest, RefusesAnInputGivenTwice) {
  auto request = request_for("a", {1, 4}, 4);
  request.inputs.push_back(request.inputs.front());
  EXPECT_EQ(message(request), "input 'a' is given twice (model m, version 3)");
}

TEST(CheckRequest, TellsShapesFoundAndExpected) {
  EXPECT_EQ(message(request_for("a", {2, 3}, 6)), "input 'a': shape [2,3], expected [-1,4] (model m, version 3)");
  EXPECT_EQ(message(request_for("a", {4}, 4)), "input 'a': shape [4], expected [-1,4] (model m, version 3)");
}

TEST(CheckRequest, TellsDatatypesFoundAndExpected) {
  auto request = request_for("a", {1, 4}, 4);
  request.inputs[0].tensor.type = DataType::kInt32;
  EXPECT_EQ(message(request), "input 'a': datatype INT32, expected FP32 (model m, version 3)");
}

TEST(CheckRequest, TellsBytesFoundAndExpected) {
  EXPECT_EQ(message(request_for("a", {2, 4}, 7)),
            "input 'a': 28 bytes of data, expected 32 for FP32 [2,4] (model m, version 3)");
}

TEST(CheckRequest, RefusesShapesThatOverflow) {
  auto request = request_for("a", {INT64_MAX, 4}, 4);
  EXPECT_NE(message(request).find("63 bits"), std::string::npos);
}

TEST(CheckRequest, AcceptsZeroRows) {
  const auto request = request_for("a", {0, 4}, 0);
  const auto checked = check_request(request, two_inputs(), "m");
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->rows, 0U);
}

TEST(CheckRequest, ChoosesRequestedOutputsInTheirOrder) {
  auto request = request_for("a", {1, 4}, 4);
  request.outputs = {{"difference", {}}, {"sum", {}}};
  const auto checked = check_request(request, two_inputs(), "m");
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->outputs, (std::vector<std::size_t>{1, 0}));
}

TEST(CheckRequest, RefusesUnknownAndRepeatedOutputs) {
  auto request = request_for("a", {1, 4}, 4);
  request.outputs = {{"product", {}}};
  EXPECT_EQ(message(request), "unknown output 'product': the model has 'sum', 'difference' (model m, version 3)");
  request.outputs = {{"sum", {}}, {"sum", {}}};
  EXPECT_EQ(message(request), "output 'sum' is requested twice (model m, version 3)");
}

}  // namespace
}  // namespace protean
