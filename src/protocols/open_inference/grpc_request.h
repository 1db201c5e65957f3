// SPDX-License-Identifier: Apache-2.0
// Messages of inference.GRPCInferenceService as they come from the wire, without protobuf objects in between.
#pragma once

#include "base/buffer.h"
#include "base/result.h"
#include "core/inference.h"
#include "core/operation.h"
#include "protocols/open_inference/limits.h"

namespace protean {

/// Raw tensors are parts of `message`; typed contents get memory of their own.
/// Protobuf's own rules hold: the last of a repeated single field counts, submessages merge, unknown fields and
/// fields of an unexpected wire type are passed over.  `deadline` is left to the caller.
/// Errors: kInvalidArgument, kUnimplemented.  Thread-safe, as all functions here.
/// Source: Open Inference Protocol v2, "Infer" (gRPC); field numbers in proto/open_inference.proto.
[[nodiscard]] Result<InferRequest> decode_grpc_infer(const Slice& message, const RequestLimits& limits);

/// Whether the inputs of this ModelInferRequest came as typed contents; the answer then does too.
[[nodiscard]] bool has_typed_inputs(const Slice& message) noexcept;

/// ModelReadyRequest and ModelMetadataRequest: name = 1, version = 2.
struct ModelQuery {
  std::string model;
  std::string version;
};
[[nodiscard]] Result<ModelQuery> decode_grpc_model_query(const Slice& message);

[[nodiscard]] Result<ListModels> decode_grpc_index(const Slice& message);

/// `kserve_form`: the name stood in field 1 and field 2 was empty, as in KServe's own message.
struct RepositoryCall {
  std::string model;
  bool kserve_form = false;
};
/// RepositoryModelLoadRequest and RepositoryModelUnloadRequest.
[[nodiscard]] Result<RepositoryCall> decode_grpc_repository_call(const Slice& message);

}  // namespace protean
