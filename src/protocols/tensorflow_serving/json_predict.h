// SPDX-License-Identifier: Apache-2.0
// A predict request in JSON, rows (`instances`) or columns (`inputs`), read against the signature.
// Source: section 3 of the description of TensorFlow Serving's protocol.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "core/inference.h"
#include "core/model.h"

namespace protean::tfserving {

/// `signature_name` of the request, where it is one; empty: none. Says nothing about the rest.
[[nodiscard]] std::string find_signature_name(const Slice& body);

/// Whether the request was made of rows, which decides about the form of the answer.
/// Requires a body that read_json_predict() has read.
[[nodiscard]] bool has_rows(const Slice& body);

/// Fills `request.inputs`. `signature`: nullptr when there is none to read against: only what can be said without one.
/// Errors: kInvalidArgument and kUnimplemented in the original's words.  Thread-safe.
[[nodiscard]] Status read_json_predict(const Slice& body, std::size_t depth_max, const Signature* signature,
                                       InferRequest& request);

/// The same without the fast way for bodies without a fault; for tests.
[[nodiscard]] Status read_json_predict_exactly(const Slice& body, std::size_t depth_max, const Signature* signature,
                                               InferRequest& request);

}  // namespace protean::tfserving
