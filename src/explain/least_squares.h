// SPDX-License-Identifier: Apache-2.0
// The weighted regression of KernelSHAP: contributions that add up to a given sum and fit the sampled sets best.
#pragma once

#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "explain/coalitions.h"

namespace protean {

/// `values`: [coalitions, outputs], what the model says with a set less the base; `sums`: [outputs], the full set's.
/// Returns [features, outputs]; for each output they add up to its sum.
/// With all sets there the result is the Shapley values themselves.
/// Errors: kCancelled.
[[nodiscard]] Result<std::vector<double>> fit_contributions(const Coalitions& sets, std::span<const double> values,
                                                            std::span<const double> sums,
                                                            const std::stop_token& cancel);

}  // namespace protean
