// SPDX-License-Identifier: Apache-2.0
// How a version shares out the processors: runs at one time, or threads inside one run. The decision is a pure function
// of what was measured (scaling.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/clock.h"

namespace protean {

/// `instances`: runs at one time that were chosen; 0: nothing was, and as many go as there are run threads.
/// `run_limit`: the same as a limit; 0: none but the run threads.  `threads`: inside one run; 0: the backend's default.
/// `measured`: here or in a version before.  `why`: for people.
struct Threading {
  std::uint32_t instances = 0;
  std::uint32_t run_limit = 0;
  std::uint32_t threads = 0;
  bool measured = false;
  std::string why;
};

/// Runs with `threads` threads each, `at_once` of them all the time.  `run_time`: of one of them, the mean.
struct ScalingPoint {
  std::uint32_t at_once = 1;
  std::uint32_t threads = 1;
  double runs_per_second = 0;
  Duration run_time{};
};

/// Instances before threads: throughput is what a busy server lacks. So many instances as each step to more of them
/// does at least 1.1 times the work. Threads inside a run where a run, the fewest at once, takes at most 0.8 of the
/// time and all together still do 0.95 of the work.
/// `measured`: ascending by (threads, at_once), of one or two numbers of threads, each beginning with the fewest.
/// `run_threads`: a limit that is not below it is none.
[[nodiscard]] Threading choose_threading(std::span<const ScalingPoint> measured, std::uint32_t run_threads);

/// `1 thread`, `3 runs`.
[[nodiscard]] std::string count_of(std::uint32_t count, std::string_view one);

}  // namespace protean
