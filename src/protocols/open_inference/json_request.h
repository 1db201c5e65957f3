// SPDX-License-Identifier: Apache-2.0
// Request bodies of the REST side: the inference request in JSON, alone or with binary tensors behind it, and the
// small bodies of the repository calls.
#pragma once

#include <optional>

#include "base/buffer.h"
#include "base/result.h"
#include "core/inference.h"
#include "core/operation.h"
#include "protocols/open_inference/limits.h"

namespace protean {

/// `json_bytes`: the value of Inference-Header-Content-Length; nullopt when the header is absent and all of
/// `body` is JSON. `model`, `version` and `deadline` of the result are left to the caller.
/// JSON tensors get memory of their own; binary tensors are parts of `body`.  `records` stand for `inputs`.
/// Errors: kInvalidArgument (`malformed JSON at byte N: ...`, `inputs[1]: missing 'shape'`), kUnimplemented.
/// Source: Open Inference Protocol v2, "Inference Request JSON Object"; binary tensor data extension.  Thread-safe.
[[nodiscard]] Result<InferRequest> decode_json_infer(const Slice& body, std::optional<std::size_t> json_bytes,
                                                     const RequestLimits& limits);

/// The same body with `background` (`{"inputs": [...]}` or `{"records": [...]}`) and the parameters `samples`, 1 to
/// kExplainSamplesMax, and `seed`.
[[nodiscard]] Result<ExplainRequest> decode_json_explain(const Slice& body, std::optional<std::size_t> json_bytes,
                                                         const RequestLimits& limits);

inline constexpr std::uint64_t kExplainSamplesMax = 1'000'000;

/// `{"ready": true}`, `{}` or nothing at all.
[[nodiscard]] Result<ListModels> decode_json_index(const Slice& body, const RequestLimits& limits);

/// The optional `{"parameters": {...}}` of a load or unload call, each checked by check_repository_parameter().
[[nodiscard]] Status check_json_repository_call(const Slice& body, const RequestLimits& limits);

}  // namespace protean
