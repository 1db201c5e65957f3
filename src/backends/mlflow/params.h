// SPDX-License-Identifier: Apache-2.0
// The `params` of a signature held against those of a request, as MLflow enforces them.
#pragma once

#include <span>
#include <string>

#include "backends/mlflow/schema.h"
#include "base/result.h"
#include "core/inference.h"

namespace protean {

/// What the model is called with, as a JSON object: each of `specs` in order, from `given` or by its default. Whole
/// numbers become floating ones where those are asked for, nothing else is converted. Lists and objects come as the
/// text of their JSON. Parameters that are not in `specs` are passed over.
/// Errors: kInvalidArgument `parameter 'alpha': found "x", expected double`, all that are wrong in one.  Thread-safe.
/// Source: mlflow.models.utils._enforce_params_schema (MLflow 3.17).
[[nodiscard]] Result<std::string> resolve_params(std::span<const SchemaParam> specs, const Parameters& given);

}  // namespace protean
