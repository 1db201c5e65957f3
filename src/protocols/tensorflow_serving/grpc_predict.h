// SPDX-License-Identifier: Apache-2.0
// PredictionService.Predict: the spec and the outputs first, the tensors once the signature is known.
// Source: section 7 of the description of TensorFlow Serving's protocol.
#pragma once

#include "core/http.h"
#include "core/inference.h"
#include "core/model.h"
#include "protocols/tensorflow_serving/model_spec.h"

namespace protean::tfserving {

/// `spec`: what replies and errors repeat.
struct PredictCall {
  ModelSpec spec;
  std::vector<std::string> outputs;
};

/// Errors: kInvalidArgument without a model, kInternal where the wire format is broken.  Thread-safe, as all here.
[[nodiscard]] Result<PredictCall> decode_grpc_predict(const Slice& body);

/// Fills `request.inputs`, which share the bytes of `body` where they can, and checks names and types.
/// Errors: kInvalidArgument in the original's words.
[[nodiscard]] Status bind_grpc_predict(const Slice& body, const Signature& signature, InferRequest& request);

/// Errors: kResourceExhausted above what a protobuf message can hold.
[[nodiscard]] Result<Response> encode_grpc_predict(const InferRequest& request, const InferResult& result,
                                                   bool as_content);

}  // namespace protean::tfserving
