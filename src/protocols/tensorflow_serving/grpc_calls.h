// SPDX-License-Identifier: Apache-2.0
// The gRPC half: which method is called, and which of the other files has its messages.
#pragma once

#include <optional>
#include <string_view>

#include "core/protocol.h"
#include "protocols/tensorflow_serving/protocol.h"

namespace protean::tfserving {

/// Methods of PredictionService and ModelService.
enum class Method : unsigned char {
  kPredict,
  kClassify,
  kRegress,
  kMultiInference,
  kGetModelMetadata,
  kGetModelStatus,
  kReload,
};

[[nodiscard]] bool is_service_path(std::string_view path) noexcept;
/// nullopt for a method that there is not.
[[nodiscard]] std::optional<Method> find_method(std::string_view path) noexcept;

/// The path that calls of a method have.
[[nodiscard]] std::string_view path_of(Method method) noexcept;

/// As the functions of Protocol.  Thread-safe, as all here.
[[nodiscard]] Result<Operation> decode_grpc(const RequestView& request);
[[nodiscard]] Status bind_grpc(const RequestView& view, InferRequest& request, const Signature* signature,
                               const TensorflowServingOptions& options);
[[nodiscard]] Result<Response> encode_grpc(const RequestView& view, const Operation& operation, const Outcome& outcome,
                                           const TensorflowServingOptions& options);
[[nodiscard]] Response encode_grpc_failure(const RequestView& view, const Error& error);

}  // namespace protean::tfserving
