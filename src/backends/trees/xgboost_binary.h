// SPDX-License-Identifier: Apache-2.0
// XGBoost's old binary format, which versions up to 2.x wrote (`binf`, .model and .bin files).
#pragma once

#include <string_view>

#include "backends/trees/tree_model_spec.h"
#include "base/result.h"

namespace protean {

/// Whether the bytes begin as such a file does: with plausible parameters and the name of an objective.
[[nodiscard]] bool looks_like_xgboost_binary(std::string_view head) noexcept;

/// Errors: kInvalidArgument. No size is believed before the bytes that it speaks of are seen to be there.
[[nodiscard]] Result<TreeModelSpec> read_xgboost_binary(std::string_view bytes);

}  // namespace protean
