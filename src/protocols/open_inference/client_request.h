// SPDX-License-Identifier: Apache-2.0
// This dialect from the client's side: requests written and metadata read. It makes load and tests; kept beside the
// decoders so that one folder knows the wire format.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/result.h"
#include "core/inference.h"
#include "core/operation.h"

namespace protean {

/// `json_bytes`: what goes into the header Inference-Header-Content-Length; 0: everything is JSON.
struct ClientInferBody {
  Slice body;
  std::size_t json_bytes = 0;
};

/// Everything in JSON.  `request.inputs` have passed check_data().
/// Errors: kInvalidArgument for FP16 and BF16 that are not finite, and for BYTES elements that are not UTF-8.
/// Thread-safe, as all functions here.  Source: Open Inference Protocol v2, "Inference Request JSON Object".
[[nodiscard]] Result<ClientInferBody> write_json_infer(const InferRequest& request);

/// Tensors behind the JSON, and the outputs asked for likewise.
/// Source: binary tensor data extension.
[[nodiscard]] ClientInferBody write_binary_infer(const InferRequest& request);

/// A ModelInferRequest with raw_input_contents.
/// Errors: kResourceExhausted for what does not fit into a protobuf message.
/// Source: proto/open_inference.proto.
[[nodiscard]] Result<Slice> write_grpc_infer(const InferRequest& request);

/// The answer to `GET /v2/models/NAME`.
/// Errors: kInvalidArgument `model metadata: ...`.
[[nodiscard]] Result<ModelInfo> read_json_metadata(std::string_view text);

/// The sentence in `{"error": "..."}`, or the text itself.
[[nodiscard]] std::string read_json_error(std::string_view text);

/// Full path of the method ModelInfer.
inline constexpr std::string_view kGrpcInferPath = "/inference.GRPCInferenceService/ModelInfer";

}  // namespace protean
