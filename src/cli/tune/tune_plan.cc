// SPDX-License-Identifier: Apache-2.0
// The candidates and the judgement; see the header.
#include "cli/tune/tune_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/command_flags.h"

namespace protean {
namespace {

/// An open loop has kept its rate when so much of it was answered within the time.
constexpr double kRateKept = 0.95;
constexpr double kAsGoodAs = 0.97;

struct Quantile {
  std::string_view name;
  double q;
};
constexpr std::array<Quantile, 5> kQuantiles = {
    {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}}};

double worth(const TuneTrial& trial) noexcept { return trial.best ? trial.best->rows_per_second : 0; }

}  // namespace

Result<Slo> parse_slo(std::string_view text) {
  const auto equals = text.find('=');
  const auto name = text.substr(0, equals);
  const auto quantile = std::ranges::find(kQuantiles, name, &Quantile::name);
  const auto limit = equals == std::string_view::npos ? std::nullopt : parse_span(text.substr(equals + 1));
  if (quantile == kQuantiles.end() || !limit || limit->count() <= 0) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("found '{}', expected a percentile (p50, p90, p95, p99, p99.9) and a time, such as p99=20ms",
                    printable(text)));
  }
  return Slo{std::string(name), quantile->q, *limit};
}

std::string format_tune_config(const TuneConfig& config) {
  return fmt::format("{} {}, {} x {} {}", config.rows_max, config.rows_max == 1 ? "row" : "rows", config.instances,
                     config.intra_op_threads, config.intra_op_threads == 1 ? "thread" : "threads");
}

std::vector<TuneConfig> tune_candidates(std::uint64_t rows_max, unsigned cores) {
  std::vector<TuneConfig> all;
  for (std::uint64_t rows = 1; rows <= std::max<std::uint64_t>(1, rows_max); rows *= 2) {
    for (std::uint32_t instances = 1; instances <= cores; ++instances) {
      if (cores % instances != 0) continue;
      if (instances == 1 && cores > 1) all.push_back({rows, 1, 1});
      all.push_back({rows, instances, cores / instances});
    }
  }
  return all;
}

ModelConfig apply_tune_config(ModelConfig base, const TuneConfig& config) {
  base.batch.mode = config.rows_max == 1 ? BatchConfig::Mode::kOff : BatchConfig::Mode::kOn;
  base.batch.rows_max = config.rows_max;
  std::erase_if(base.batch.rows_preferred, [&](auto rows) { return rows > config.rows_max; });
  base.instances = config.instances;
  base.intra_op_threads = config.intra_op_threads;
  return base;
}

bool meets_slo(const TunePoint& point, const Slo& slo) noexcept {
  return point.requests_per_second > 0 && point.latency <= slo.limit && point.failure_share <= kFailureShareMax &&
         point.requests_per_second >= kRateKept * point.rate;
}

std::vector<TuneTrial> middle_trials(const std::vector<TuneTrial>& trials) {
  std::vector<std::vector<TuneTrial>> groups;
  for (const auto& trial : trials) {
    const auto group = std::ranges::find_if(groups, [&](const auto& g) { return g.front().config == trial.config; });
    if (group == groups.end()) {
      groups.push_back({trial});
    } else {
      group->push_back(trial);
    }
  }
  std::vector<TuneTrial> middle;
  for (auto& group : groups) {
    std::ranges::stable_sort(group, {}, worth);
    middle.push_back(std::move(group[(group.size() - 1) / 2]));
  }
  return middle;
}

const TuneTrial* recommend(const std::vector<TuneTrial>& trials) noexcept {
  double most = 0;
  for (const auto& trial : trials) most = std::max(most, worth(trial));
  const TuneTrial* best = nullptr;
  const auto cost = [](const TuneTrial& t) {
    return std::pair(t.config.instances * t.config.intra_op_threads, t.config.rows_max);
  };
  for (const auto& trial : trials) {
    if (!trial.best || worth(trial) < kAsGoodAs * most) continue;
    if (best == nullptr || cost(trial) < cost(*best)) best = &trial;
  }
  return best;
}

}  // namespace protean
