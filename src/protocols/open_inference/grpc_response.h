// SPDX-License-Identifier: Apache-2.0
// Messages of inference.GRPCInferenceService as they go to the wire.
#pragma once

#include <string_view>
#include <vector>

#include "core/http.h"
#include "core/operation.h"

namespace protean {

/// ModelInferResponse. `typed`: outputs as typed contents; otherwise, and whenever an output is FP16 or BF16, raw.
/// Large raw outputs are parts of the response without being copied.
/// Errors: kResourceExhausted above what a gRPC message can hold.  Thread-safe, as all functions here.
[[nodiscard]] Result<Response> encode_grpc_infer(const InferResult& result, bool typed);

/// ServerLiveResponse, ServerReadyResponse, ModelReadyResponse: field 1 of each.
[[nodiscard]] Response encode_grpc_bool(bool value);
[[nodiscard]] Response encode_grpc_server(const ServerInfo& info);
[[nodiscard]] Response encode_grpc_model(const ModelInfo& info);
[[nodiscard]] Response encode_grpc_index(const std::vector<VersionStatus>& versions);
/// KServe's form of the reply to a load or unload call: model_name = 1, isLoaded or isUnloaded = 2.
[[nodiscard]] Response encode_grpc_repository_call(std::string_view model);
/// A message without fields.
[[nodiscard]] Response encode_grpc_empty();
[[nodiscard]] Response encode_grpc_error(const Error& error);

}  // namespace protean
