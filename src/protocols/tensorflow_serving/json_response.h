// SPDX-License-Identifier: Apache-2.0
// Replies of the REST API in JSON.  Source: sections 4 and 5 of the description of TensorFlow Serving's protocol.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/http.h"
#include "core/inference.h"
#include "protocols/tensorflow_serving/example_results.h"

namespace protean::tfserving {

/// `rows`: the request had `instances`, so that the answer is `predictions`, else `outputs`.
/// Errors: kInvalidArgument for outputs that are no rows, or of a type that the original does not write as JSON.
/// Thread-safe, as all here.
[[nodiscard]] Result<Response> encode_json_predict(const InferResult& result, bool rows);

/// Errors: kInvalidArgument when there is no example.
[[nodiscard]] Result<Response> encode_json_classes(const Classes& classes);
[[nodiscard]] Result<Response> encode_json_regressions(const std::vector<float>& values);

}  // namespace protean::tfserving
