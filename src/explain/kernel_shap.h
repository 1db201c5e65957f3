// SPDX-License-Identifier: Apache-2.0
// Contributions for any model, from running it on mixtures of a row and a background.
#pragma once

#include "explain/explain.h"

namespace protean {

/// Features whose value is the same in every background row contribute nothing and cost nothing. Up to 10 others are
/// explained exactly, from all sets of them; more from `options.samples` sets.
/// What is explained are the outputs of floats, or those of integers where there are none; each of their elements is an
/// output of its own, `probabilities[1]`.
/// Errors: as explain().
/// Source: Lundberg, Lee, "A unified approach to interpreting model predictions", 2017, section 4.1.
[[nodiscard]] Result<Contributions> kernel_shap(Model& model, const RunRequest& request, const ExplainOptions& options);

}  // namespace protean
