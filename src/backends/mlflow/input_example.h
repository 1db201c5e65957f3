// SPDX-License-Identifier: Apache-2.0
// The input example of a model, as a request that warms it up and that people can paste.
#pragma once

#include <string>
#include <string_view>

#include "core/model.h"

namespace protean {

/// `json`: the example's file; `type`: as the MLmodel file says.  The first row of a data frame or an array, or the one
/// JSON object, as a request of the Open Inference Protocol; empty where it cannot be made into one.  Thread-safe.
/// Source: mlflow.models.utils._Example (MLflow 3.17).
[[nodiscard]] std::string example_request(std::string_view json, std::string_view type, const Signature& signature);

}  // namespace protean
