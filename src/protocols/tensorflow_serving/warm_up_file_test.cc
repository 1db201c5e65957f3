// SPDX-License-Identifier: Apache-2.0
// Logged requests become the calls that they were.
#include "protocols/tensorflow_serving/warm_up_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/tensorflow_serving.pb.h"

namespace protean::tfserving {
namespace {

using tensorflow::serving::PredictionLog;
using testing::HasSubstr;

Result<RecordedCall> decode(const PredictionLog& log) {
  return decode_prediction_log(Slice::of(log.SerializeAsString()), {});
}

Signature half_plus_two() {
  Signature signature;
  signature.function = "serving_default";
  signature.inputs.push_back({"x", DataType::kFp32, {-1}, {}});
  signature.outputs.push_back({"y", DataType::kFp32, {-1}, {}});
  return signature;
}

PredictionLog predict_log() {
  PredictionLog log;
  auto& tensor = (*log.mutable_predict_log()->mutable_request()->mutable_inputs())["x"];
  tensor.set_dtype(tensorflow::DT_FLOAT);
  tensor.mutable_tensor_shape()->add_dim()->set_size(2);
  tensor.add_float_val(1);
  tensor.add_float_val(2);
  return log;
}

TEST(WarmUpFile, APredictionIsBoundToTheSignature) {
  auto call = decode(predict_log());
  ASSERT_TRUE(call) << call.error().message;
  ASSERT_EQ(call->requests.size(), 1U);
  InferRequest& request = call->requests.front();
  EXPECT_EQ(request.function, "serving_default");
  ASSERT_TRUE(call->bind(request, half_plus_two()));
  ASSERT_EQ(request.inputs.size(), 1U);
  EXPECT_EQ(request.inputs.front().tensor.shape, Shape{2});
}

TEST(WarmUpFile, TheSignatureNamedInTheRequestCounts) {
  PredictionLog log = predict_log();
  log.mutable_predict_log()->mutable_request()->mutable_model_spec()->set_signature_name("other");
  const auto call = decode(log);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->requests.front().function, "other");
}

TEST(WarmUpFile, ATensorThatTheSignatureDoesNotHaveIsRefused) {
  PredictionLog log;
  log.mutable_predict_log()->mutable_request()->mutable_inputs()->insert({"z", {}});
  auto call = decode(log);
  ASSERT_TRUE(call);
  EXPECT_THAT(call->bind(call->requests.front(), half_plus_two()).error().message,
              HasSubstr("alias not found in signature: z"));
}

TEST(WarmUpFile, SeveralInferencesAreOneRequestEach) {
  PredictionLog log;
  auto& request = *log.mutable_multi_inference_log()->mutable_request();
  for (const auto* function : {"a", "b"}) {
    auto& task = *request.add_tasks();
    task.mutable_model_spec()->set_name("m");
    task.mutable_model_spec()->set_signature_name(function);
    task.set_method_name("tensorflow/serving/regress");
  }
  const auto call = decode(log);
  ASSERT_TRUE(call) << call.error().message;
  ASSERT_EQ(call->requests.size(), 2U);
  EXPECT_EQ(call->requests[1].function, "b");
}

TEST(WarmUpFile, WhatCannotBeRepeatedIsRefusedByName) {
  PredictionLog log;
  log.mutable_session_run_log();
  EXPECT_EQ(decode(log).error().code, Code::kUnimplemented);
  EXPECT_EQ(decode(log).error().message, "session_run cannot be repeated");
  log.mutable_predict_streamed_log();
  EXPECT_EQ(decode(log).error().message, "predict_streamed cannot be repeated");
  EXPECT_EQ(decode(PredictionLog()).error().message, "expected a PredictionLog with a request, found none");
  EXPECT_EQ(decode_prediction_log(Slice::of("\x08"), {}).error().code, Code::kInternal);
}

}  // namespace
}  // namespace protean::tfserving
