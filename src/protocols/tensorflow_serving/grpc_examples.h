// SPDX-License-Identifier: Apache-2.0
// Classify, Regress and MultiInference over gRPC.
#pragma once

#include "core/http.h"
#include "core/inference.h"
#include "protocols/tensorflow_serving/example_results.h"
#include "protocols/tensorflow_serving/model_spec.h"

namespace protean::tfserving {

/// Of a ClassificationRequest or a RegressionRequest.
/// Errors: kInvalidArgument without a model, kInternal where the wire format is broken.  Thread-safe, as all here.
[[nodiscard]] Result<ModelSpec> decode_grpc_examples(const Slice& body);

/// One inference of a MultiInferenceRequest.
struct InferenceTask {
  ModelSpec spec;
  std::string method;
};

/// In order; all of one model, each function once, each a classification or a regression.
/// Errors: kInvalidArgument and kUnimplemented in the original's words.
[[nodiscard]] Result<std::vector<InferenceTask>> decode_grpc_tasks(const Slice& body);

/// Fills inputs and outputs. `method`: kClassifyMethod or kRegressMethod.
[[nodiscard]] Status bind_grpc_examples(const Slice& body, const Signature& signature, std::string_view method,
                                        bool check_method, InferRequest& request);

[[nodiscard]] Result<Response> encode_grpc_examples(const InferRequest& request, const InferResult& result,
                                                    std::string_view method);
/// `requests` and `results` in the order of the tasks.
[[nodiscard]] Result<Response> encode_grpc_tasks(const std::vector<InferenceTask>& tasks,
                                                 const std::vector<InferRequest>& requests,
                                                 const std::vector<InferResult>& results);

}  // namespace protean::tfserving
