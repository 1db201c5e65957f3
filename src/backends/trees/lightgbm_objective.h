// SPDX-License-Identifier: Apache-2.0
// LightGBM's objectives: what each makes of its margins.
#pragma once

#include <string_view>

#include "backends/trees/tree_model_spec.h"
#include "base/result.h"

namespace protean {

/// Sets the link, the probabilities and the shape of predictions from the line `objective=`: a name and options such as
/// `binary sigmoid:1`. Empty: trained with a function of the user's own, whose predictions are the margins.
/// Requires model.ensemble.outputs to be set.  Errors: kInvalidArgument for a name that is not LightGBM's.
[[nodiscard]] Status apply_lightgbm_objective(std::string_view objective, TreeModelSpec& model);

}  // namespace protean
