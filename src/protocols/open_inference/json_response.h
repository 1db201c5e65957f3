// SPDX-License-Identifier: Apache-2.0
// Answers of the REST side, in the form that the specification gives, or else the one its clients accept.
#pragma once

#include <string_view>
#include <vector>

#include "core/http.h"
#include "core/operation.h"

namespace protean {

/// The inference reply. Outputs asked for in binary follow the JSON without being copied when they are large.
/// Errors: kInvalidArgument when a BYTES output in JSON is not UTF-8.  Thread-safe, as all functions here.
/// Source: Open Inference Protocol v2, "Inference Response JSON Object"; binary tensor data extension.
[[nodiscard]] Result<Response> encode_json_infer(const InferRequest& request, const InferResult& result);

/// The answer to `explain`: for each output its base value, and for each row the total and the features' contributions.
[[nodiscard]] Response encode_json_explanation(const Explanation& explanation);

/// `{"live":true}`, `{"ready":false}` with 503.
[[nodiscard]] Response encode_json_health(std::string_view member, bool healthy);
[[nodiscard]] Response encode_json_model_ready(std::string_view model, bool ready);
[[nodiscard]] Response encode_json_server(const ServerInfo& info);
/// Columns stand in the extension `columns`.
[[nodiscard]] Response encode_json_model(const ModelInfo& info);
/// `{"models":["a","b"]}`: names, each once.
[[nodiscard]] Response encode_json_names(const std::vector<VersionStatus>& versions);
[[nodiscard]] Response encode_json_index(const std::vector<VersionStatus>& versions);
/// `{"name":"m","load":true}`; `verb` is `load` or `unload`.
[[nodiscard]] Response encode_json_repository_call(std::string_view model, std::string_view verb);
[[nodiscard]] Response encode_json_error(int status, std::string_view message);

}  // namespace protean
