// SPDX-License-Identifier: Apache-2.0
// Messages of tensorflow.serving that are decoded by hand: what libprotobuf cannot parse is refused as well, tensors
// hold what their shapes say, and replies are messages.
#include "base/check.h"
#include "proto/tensorflow_serving.pb.h"
#include "protocols/tensorflow_serving/grpc_examples.h"
#include "protocols/tensorflow_serving/grpc_predict.h"
#include "protocols/tensorflow_serving/reload.h"
#include "protocols/tensorflow_serving/status_messages.h"

namespace {

using namespace protean;
using namespace protean::tfserving;

/// Takes whatever inputs the message names.
Signature signature_of(const tensorflow::serving::PredictRequest& message) {
  Signature signature;
  for (const auto& [name, tensor] : message.inputs()) {
    TensorSpec spec{name, DataType::kFp32, {}, {}};
    spec.any_rank = true;
    switch (tensor.dtype()) {
      case tensorflow::DT_DOUBLE: spec.type = DataType::kFp64; break;
      case tensorflow::DT_INT32: spec.type = DataType::kInt32; break;
      case tensorflow::DT_INT64: spec.type = DataType::kInt64; break;
      case tensorflow::DT_STRING: spec.type = DataType::kBytes; break;
      case tensorflow::DT_BOOL: spec.type = DataType::kBool; break;
      case tensorflow::DT_HALF: spec.type = DataType::kFp16; break;
      case tensorflow::DT_UINT8: spec.type = DataType::kUint8; break;
      default: break;
    }
    signature.inputs.push_back(std::move(spec));
  }
  return signature;
}

void check_predict(const Slice& body) {
  tensorflow::serving::PredictRequest message;
  const bool valid = message.ParseFromArray(body.data(), static_cast<int>(body.size()));
  if (!decode_grpc_predict(body) || !valid) return;
  InferRequest request;
  if (!bind_grpc_predict(body, signature_of(message), request)) return;
  InferResult result{"m", "1", {}, {}, {}};
  for (const auto& input : request.inputs) {
    if (!check_data(input.tensor, input.name)) return;  // tensor_content of truth values is the client's own
    result.outputs.push_back({input.name, input.tensor, {}});
  }
  for (const bool as_content : {false, true}) {
    const auto response = encode_grpc_predict(request, result, as_content);
    PROTEAN_CHECK(response);
    std::string bytes;
    for (const auto& part : response->body) bytes += part.text();
    tensorflow::serving::PredictResponse reply;
    PROTEAN_CHECK(reply.ParseFromString(bytes));
    PROTEAN_CHECK(reply.outputs().size() == result.outputs.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Buffer buffer;
  buffer.append(data, size);
  const Slice body = std::move(buffer).share();
  check_predict(body);
  static_cast<void>(decode_grpc_tasks(body));
  static_cast<void>(decode_status_request(body));
  static_cast<void>(decode_metadata_request(body));
  static_cast<void>(decode_reload(body));
  return 0;
}
