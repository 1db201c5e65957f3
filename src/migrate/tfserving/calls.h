// SPDX-License-Identifier: Apache-2.0
// What a call to TensorFlow Serving is called: model and method, read from a path or from the first fields of a
// message.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "migrate/dialect.h"

namespace protean::migrate {

/// REST: `/v1/models/{name}[/versions/{n}|/labels/{label}][:verb | /metadata]`.  Anything else: no model, `REST other`.
[[nodiscard]] CallName name_rest_call(std::string_view method, std::string_view path);

/// gRPC: the method behind the last slash, the model from the request's ModelSpec.
[[nodiscard]] CallName name_grpc_call(std::string_view path, std::string_view message);

/// The name in the ModelSpec of a request: field 1, or field 1 of the first of its tasks (`in_task`). Reads the wire
/// form only as far as it must; nullopt when there is none or when the bytes are no message.
[[nodiscard]] std::optional<std::string_view> find_model_name(std::string_view message, bool in_task) noexcept;

}  // namespace protean::migrate
