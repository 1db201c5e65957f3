// SPDX-License-Identifier: Apache-2.0
// What is tried and how it is judged: pure functions over small values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/model_config.h"

namespace protean {

/// At most so much at that percentile.  `name`: as it was written, `p99`.
struct Slo {
  std::string name = "p99";
  double quantile = 0.99;
  Duration limit = std::chrono::milliseconds(20);
};

/// `p99=20ms`: p50, p90, p95, p99 or p99.9.  Errors: kInvalidArgument (the message names no flag).
[[nodiscard]] Result<Slo> parse_slo(std::string_view text);

struct TuneConfig {
  std::uint64_t rows_max = 1;
  std::uint32_t instances = 1;
  std::uint32_t intra_op_threads = 1;
  friend bool operator==(const TuneConfig&, const TuneConfig&) = default;
};

/// `8 rows, 2 x 1 threads`: instances x threads inside a run.
[[nodiscard]] std::string format_tune_config(const TuneConfig& config);

/// Every batch size 1, 2, 4 ... `rows_max` with each way to divide `cores` among instances and threads (all of them
/// used, or one): from the simplest on, always in the same order.
[[nodiscard]] std::vector<TuneConfig> tune_candidates(std::uint64_t rows_max, unsigned cores);

/// Other settings stay as they are in `base`.
[[nodiscard]] ModelConfig apply_tune_config(ModelConfig base, const TuneConfig& config);

/// One measurement.  `rate`: of an open loop, 0: closed.  `latency`: at the objective's percentile.
struct TunePoint {
  double rate = 0;
  std::uint64_t concurrency = 1;
  double requests_per_second = 0;
  double rows_per_second = 0;
  Duration latency{};
  double failure_share = 0;
  bool meets = false;
};

/// More than one failure in a thousand is no service, however fast the rest is.
inline constexpr double kFailureShareMax = 0.001;

/// Whether it keeps the objective; an open loop must also have kept its rate.
[[nodiscard]] bool meets_slo(const TunePoint& point, const Slo& slo) noexcept;

/// One configuration, once.  `best`: the point that counts: the open loop that confirmed, none when nothing did.
/// `error`: why it could not be measured at all.
struct TuneTrial {
  TuneConfig config;
  std::vector<TunePoint> points;
  std::optional<TunePoint> best;
  std::string error;
};

/// Of the repetitions of each configuration the lower middle one, in the order of the configurations.
[[nodiscard]] std::vector<TuneTrial> middle_trials(const std::vector<TuneTrial>& trials);

/// The trial with the most rows a second; among those within 3 % of it, the one with the fewest threads, then the
/// smallest batch. nullptr when none keeps the objective.
[[nodiscard]] const TuneTrial* recommend(const std::vector<TuneTrial>& trials) noexcept;

}  // namespace protean
