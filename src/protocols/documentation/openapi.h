// SPDX-License-Identifier: Apache-2.0
// The server's interface as a machine reads it, with concrete paths and schemas for every loaded model.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/operation.h"

namespace protean {

/// An OpenAPI document: the general paths, and for each ready model and version its metadata, readiness and
/// inference, with the tensors' names, types and shapes and an example that the server accepts.
/// `url`: scheme and authority of this server.
/// Source: https://spec.openapis.org/oas/v3.1.0
[[nodiscard]] std::string format_openapi(std::span<const VersionStatus> models, std::string_view url);

}  // namespace protean
