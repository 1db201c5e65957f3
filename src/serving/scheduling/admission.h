// SPDX-License-Identifier: Apache-2.0
// When a request that joins a queue will be answered, as arithmetic over what is known: work ahead of it, runners it
// can count on, the measured cost of runs. Whoever will miss the deadline is better told at once.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "serving/scheduling/run_cost.h"
#include "serving/scheduling/waiting_queue.h"

namespace protean {

/// `rows_max`: of a shared run; 0: every request runs alone.  `runners`: those the lane can count on (a share where
/// others are busy).  `running`: what is left of the lane's own runs, summed.  `runner_free`: until some runner can
/// start a run of this lane.  `recent_rows`: rows of recent runs, since more requests join before a run starts.
struct LaneLoad {
  WaitingWork ahead;
  std::uint64_t own_rows = 1;
  std::uint64_t rows_max = 0;
  double runners = 1;
  Duration running{};
  Duration runner_free{};
  double overhead_ns = 0;
  double recent_rows = 1;
};

struct Forecast {
  Duration wait{};
  Duration run{};  // an upper estimate
  [[nodiscard]] Duration total() const noexcept { return wait + run; }
};

[[nodiscard]] Forecast forecast(const RunCost& cost, const LaneLoad& load) noexcept;

/// The correction of what forecasts miss (threads that did not get a processor, for one): a factor that grows by a
/// tenth with every run in which an admitted request was late, and shrinks with every one in time, so that about one
/// run in 2,000 is late when it settles; and by half with each second without a queue, so that it is forgotten when the
/// load is gone.
class Pessimism {
 public:
  static constexpr double kMax = 3;
  static void note_run(double& factor, bool late) noexcept;
  static void pass_time(double& factor, TimePoint& looked_at, TimePoint now) noexcept;
};

}  // namespace protean
