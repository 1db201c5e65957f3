// SPDX-License-Identifier: Apache-2.0
// Finds out by running a model whether requests may share a run: generated rows are run one by one, together and in
// another order, and each row's answer must not depend on its company.
#pragma once

#include "core/model.h"
#include "serving/loaded_version.h"

namespace protean {

/// Runs the model a handful of times; never fails: a model that cannot be probed is not batchable, and
/// BatchFacts::reason says why. Equal means: same bytes, or floats within 1e-3 relative and 1e-5 absolute (batched
/// kernels sum in another order). Outputs on request are not asked for: they may cost a thousand times as much
/// (contributions of trees), and what backends give on request depends on a row's company as little as the rest.
/// Thread-safe.
[[nodiscard]] BatchFacts probe_batching(Model& model);

}  // namespace protean
