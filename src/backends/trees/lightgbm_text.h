// SPDX-License-Identifier: Apache-2.0
// LightGBM's text format (versions 2 to 4): what Booster.save_model() and model_to_string() write.
#pragma once

#include <string_view>

#include "backends/trees/tree_model_spec.h"
#include "base/result.h"

namespace protean {

/// Errors: kInvalidArgument, naming the tree and the line that is missing or malformed.
[[nodiscard]] Result<TreeModelSpec> read_lightgbm_text(std::string_view text);

}  // namespace protean
