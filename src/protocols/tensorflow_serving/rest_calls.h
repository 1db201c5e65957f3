// SPDX-License-Identifier: Apache-2.0
// The REST half: a route becomes an operation, an outcome a reply in JSON.
#pragma once

#include "core/protocol.h"
#include "protocols/tensorflow_serving/protocol.h"

namespace protean::tfserving {

/// As the functions of Protocol.  Thread-safe, as all here.
[[nodiscard]] Result<Operation> decode_rest(const RequestView& request, const TensorflowServingOptions& options);
[[nodiscard]] Status bind_rest(const RequestView& view, InferRequest& request, const Signature* signature,
                               const TensorflowServingOptions& options);
[[nodiscard]] Result<Response> encode_rest(const RequestView& view, const Operation& operation, const Outcome& outcome);
/// `operation`: nullptr where decode_rest() failed.
[[nodiscard]] Response encode_rest_failure(const RequestView& view, const Operation* operation, const Error& error);

}  // namespace protean::tfserving
