// SPDX-License-Identifier: Apache-2.0
// CatBoost's JSON export: save_model(..., format='json').
#pragma once

#include "backends/trees/document.h"
#include "backends/trees/tree_model_spec.h"
#include "base/result.h"

namespace protean {

/// Errors: kInvalidArgument; features that trees cannot compute alone (CTRs, texts, embeddings) are named, with the way
/// out.
[[nodiscard]] Result<TreeModelSpec> read_catboost(const Document& document);

}  // namespace protean
