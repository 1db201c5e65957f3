// SPDX-License-Identifier: Apache-2.0
// MLflow's signature over that of the model that does the work: names, types and what must be there are MLflow's, the
// order and the categories are the model's.
#pragma once

#include "backends/mlflow/schema.h"
#include "base/result.h"
#include "core/model.h"

namespace protean {

/// What clients see. Columns get the rules of MLflow: others than the signature's are passed over, types must convert
/// without loss. A tensor input gets MLflow's type and, where the ranks agree, its shape; the model that is served
/// casts it back (mlflow_model.h). A signature without inputs, or with ones that no table holds, leaves the model's
/// own. Errors: kInvalidArgument when the two do not go together.  Thread-safe. Source:
/// mlflow.models.utils._enforce_schema (MLflow 3.17).
[[nodiscard]] Result<Signature> with_schema(Signature signature, const Schema& schema);

}  // namespace protean
