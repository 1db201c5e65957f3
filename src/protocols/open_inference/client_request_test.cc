// SPDX-License-Identifier: Apache-2.0
// What is written here is read by the server's own decoders, and must come out as it went in.
#include "protocols/open_inference/client_request.h"

#include <gtest/gtest.h>

#include "protocols/open_inference/grpc_request.h"
#include "protocols/open_inference/json_request.h"
#include "protocols/open_inference/json_response.h"

namespace protean {
namespace {

/// 1.0, 0.5 (IEEE 754: 3F800000, 3F000000) and the strings `a`, `bc`.
InferRequest two_inputs() {
  using namespace std::string_literals;
  InferRequest request;
  request.model = "m";
  request.version = "3";
  request.id = "i\"1";
  request.inputs.push_back({"x", {DataType::kFp32, {1, 2}, Slice::of("\0\0\x80\x3F\0\0\0\x3F"s)}, {}});
  request.inputs.push_back({"s", {DataType::kBytes, {2}, Slice::of("\1\0\0\0a\2\0\0\0bc"s)}, {{"k", true}}});
  request.outputs.push_back({"y", {}});
  return request;
}

void expect_same_inputs(const InferRequest& found, const InferRequest& expected) {
  ASSERT_EQ(found.inputs.size(), expected.inputs.size());
  for (std::size_t i = 0; i < found.inputs.size(); ++i) {
    EXPECT_EQ(found.inputs[i].name, expected.inputs[i].name);
    EXPECT_EQ(found.inputs[i].tensor.type, expected.inputs[i].tensor.type);
    EXPECT_EQ(found.inputs[i].tensor.shape, expected.inputs[i].tensor.shape);
    EXPECT_EQ(found.inputs[i].tensor.data.text(), expected.inputs[i].tensor.data.text());
  }
  EXPECT_EQ(found.id, expected.id);
  ASSERT_EQ(found.outputs.size(), 1U);
  EXPECT_EQ(found.outputs[0].name, "y");
}

TEST(ClientRequest, JsonIsReadBackAsItWas) {
  const auto request = two_inputs();
  const auto body = write_json_infer(request);
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(body->json_bytes, 0U);
  EXPECT_EQ(body->body.text(),
            R"({"id":"i\"1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.0,0.5]},)"
            R"({"name":"s","shape":[2],"datatype":"BYTES","parameters":{"k":true},"data":["a","bc"]}],)"
            R"("outputs":[{"name":"y"}]})");
  const auto decoded = decode_json_infer(body->body, std::nullopt, {});
  ASSERT_TRUE(decoded) << decoded.error().message;
  expect_same_inputs(*decoded, request);
}

TEST(ClientRequest, BinaryTensorsFollowTheJson) {
  const auto request = two_inputs();
  const auto body = write_binary_infer(request);
  EXPECT_EQ(body.body.size() - body.json_bytes, 8U + 11U);
  const auto decoded = decode_json_infer(body.body, body.json_bytes, {});
  ASSERT_TRUE(decoded) << decoded.error().message;
  expect_same_inputs(*decoded, request);
  EXPECT_EQ(decoded->outputs[0].parameters, (Parameters{{"binary_data", true}}));
}

TEST(ClientRequest, ADecodedBinaryRequestCanBeWrittenAgain) {
  const auto first = write_binary_infer(two_inputs());
  const auto decoded = decode_json_infer(first.body, first.json_bytes, {});
  ASSERT_TRUE(decoded);
  const auto again = write_binary_infer(*decoded);
  EXPECT_EQ(again.body.text(), first.body.text());
}

TEST(ClientRequest, GrpcMessageIsReadBackAsItWas) {
  const auto request = two_inputs();
  const auto message = write_grpc_infer(request);
  ASSERT_TRUE(message) << message.error().message;
  const auto decoded = decode_grpc_infer(*message, {});
  ASSERT_TRUE(decoded) << decoded.error().message;
  expect_same_inputs(*decoded, request);
  EXPECT_EQ(decoded->model, "m");
  EXPECT_EQ(decoded->version, "3");
}

TEST(ClientRequest, StringsThatAreNotUtf8HaveNoJsonForm) {
  using namespace std::string_literals;
  InferRequest request;
  request.inputs.push_back({"s", {DataType::kBytes, {1}, Slice::of("\1\0\0\0\xFF"s)}, {}});
  EXPECT_EQ(write_json_infer(request).error().code, Code::kInvalidArgument);
}

TEST(ClientMetadata, IsReadFromTheServersOwnAnswer) {
  auto signature = std::make_shared<Signature>();
  signature->platform = "onnx_onnxv1";
  signature->inputs.push_back({"x", DataType::kFp32, {-1, 4}, {}});
  signature->outputs.push_back({"y", DataType::kInt64, {-1}, {{"class_labels", std::string("a,b")}}});
  const Response response = encode_json_model({"iris", {"1", "2"}, signature});
  const auto info = read_json_metadata(response.body.at(0).text());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->model, "iris");
  EXPECT_EQ(info->versions, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(info->signature->inputs.at(0).shape, (Shape{-1, 4}));
  EXPECT_EQ(info->signature->outputs.at(0).type, DataType::kInt64);
}

TEST(ClientMetadata, SaysWhatIsWrong) {
  EXPECT_EQ(read_json_metadata("<html>").error().message, "model metadata: not a JSON object");
  EXPECT_EQ(read_json_metadata(R"({"name":"m"})").error().message, "model metadata: no list 'inputs'");
  EXPECT_EQ(read_json_metadata(R"({"name":"m","inputs":[{"name":"x","datatype":"FP31"}]})").error().message,
            "model metadata: tensor 'x' has the unknown datatype 'FP31'");
  EXPECT_EQ(
      read_json_metadata(R"({"name":"m","inputs":[{"name":"x","datatype":"FP32","shape":[-2]}]})").error().message,
      "model metadata: tensor 'x' has no usable 'shape'");
}

TEST(ClientMetadata, FindsTheSentenceOfAnError) {
  EXPECT_EQ(read_json_error(R"({"error":"model 'x' is unknown"})"), "model 'x' is unknown");
  EXPECT_EQ(read_json_error("plain"), "plain");
}

}  // namespace
}  // namespace protean
