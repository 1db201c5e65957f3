// SPDX-License-Identifier: Apache-2.0
// The highest load that one configuration bears within the objective: up a ladder of closed loops until the objective
// breaks or nothing is gained, then an open loop near the best of them, which alone shows what users would see.
#pragma once

#include <functional>
#include <optional>

#include "cli/tune/tune_plan.h"

namespace protean {

/// Measures one point; nullopt: interrupted.  `meets` is left to the search.
using MeasurePoint = std::function<std::optional<TunePoint>(double rate, std::uint64_t concurrency)>;

/// Most measurements that one search makes.
[[nodiscard]] std::size_t search_points_max(std::uint64_t concurrency_max) noexcept;

/// nullopt: interrupted.
[[nodiscard]] std::optional<TuneTrial> search_configuration(const TuneConfig& config, const Slo& slo,
                                                            std::uint64_t concurrency_max, const MeasurePoint& measure);

}  // namespace protean
