// SPDX-License-Identifier: Apache-2.0
// Measures, when a version is loaded and nobody asks for anything, how a model's work grows with runs at once and with
// threads inside a run, and lets choose_threading() decide. Bounded in time; ends at once when requests come. Runs on
// a loader's thread, whose low priority the measuring threads inherit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "core/model.h"
#include "serving/loaded_version.h"

namespace protean {

/// One point to be measured: for `time`, but at least one run in each of `at_once` threads.
/// `busy`: requests are under way; asked between runs.
struct PointPlan {
  std::uint32_t at_once = 1;
  std::uint32_t threads = 1;
  Duration time{};
  const std::function<bool()>& busy;
  const Clock& clock;
};

using RunInputs = std::span<const Tensor* const>;
using MeasureScaling = std::function<Result<ScalingPoint>(Model&, RunInputs, const PointPlan&)>;

/// Errors: the model's; kAborted with the reason when the figures would say nothing (requests came, or others had the
/// processors); kResourceExhausted when no thread can be started.
[[nodiscard]] Result<ScalingPoint> measure_point(Model& model, RunInputs inputs, const PointPlan& plan);

/// `run_threads`: 1: there is nothing to choose.  `threads_default`: of runs of models that configure nothing; 0: to
/// be chosen.  `busy`: null: never.  `measure`: what tests and simulations replace.
struct ScalingOptions {
  std::uint32_t run_threads = 1;
  std::uint32_t threads_default = 0;
  std::function<bool()> busy;
  MeasureScaling measure = measure_point;
  const Clock* clock = &Clock::system();
};

/// `load`: the version once more, with so many threads in each run.  `load_time`: what it took the first time.
/// `spare_bytes`: memory that nobody has claimed, this version's own included.
/// `before`: the choice for the version that serves now, taken over where nothing can be measured.
struct ScalingJob {
  std::function<Result<std::unique_ptr<Model>>(std::uint32_t threads)> load;
  Duration load_time{};
  std::uint64_t spare_bytes = UINT64_MAX;
  std::optional<Threading> before;
};

/// Fills version.threading; exchanges version.model (and its notes) for one with threads inside its runs when those
/// pay. Never fails: what cannot be measured is said in `why`.  Takes at most some 200 ms, or eight runs.
void settle_threading(LoadedVersion& version, const ScalingOptions& options, const ScalingJob& job);

}  // namespace protean
