// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "cli/tune/tune_search.h"

#include <algorithm>
#include <array>

namespace protean {
namespace {

/// Shares of the closed loop's throughput that the open loop tries.
constexpr std::array<double, 4> kOpenShares = {0.9, 0.75, 0.6, 0.4};
/// A step of the ladder that gains less than this has reached the plateau; the second such step ends it.
constexpr double kGain = 1.03;
constexpr int kFlatStepsMax = 2;
/// Streams of the open loop beside those that the closed loop needed: arrivals come in bunches.
constexpr std::uint64_t kOpenStreams = 4;

}  // namespace

std::size_t search_points_max(std::uint64_t concurrency_max) noexcept {
  std::size_t steps = 0;
  for (std::uint64_t step = 1; step <= concurrency_max; step *= 2) ++steps;
  return steps + kOpenShares.size();
}

std::optional<TuneTrial> search_configuration(const TuneConfig& config, const Slo& slo, std::uint64_t concurrency_max,
                                              const MeasurePoint& measure) {
  TuneTrial trial;
  trial.config = config;
  std::optional<TunePoint> best;
  int flat_steps = 0;
  for (std::uint64_t concurrency = 1; concurrency <= concurrency_max && flat_steps < kFlatStepsMax; concurrency *= 2) {
    auto point = measure(0, concurrency);
    if (!point) return std::nullopt;
    point->meets = meets_slo(*point, slo);
    trial.points.push_back(*point);
    if (!point->meets) break;
    const bool gained = !best || point->requests_per_second > kGain * best->requests_per_second;
    flat_steps = gained ? 0 : flat_steps + 1;
    if (!best || point->requests_per_second > best->requests_per_second) best = point;
  }
  if (!best) return trial;
  for (const double share : kOpenShares) {
    const std::uint64_t streams =
        std::max<std::uint64_t>(best->concurrency, std::min(concurrency_max, best->concurrency * kOpenStreams));
    auto point = measure(share * best->requests_per_second, streams);
    if (!point) return std::nullopt;
    point->meets = meets_slo(*point, slo);
    trial.points.push_back(*point);
    if (!point->meets) continue;
    trial.best = point;
    break;
  }
  return trial;
}

}  // namespace protean
