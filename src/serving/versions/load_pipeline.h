// SPDX-License-Identifier: Apache-2.0
// What a loader thread does with one job: check the files, load, find out about batching, warm up.
#pragma once

#include <functional>
#include <memory>

#include "core/recorded_call.h"
#include "serving/versions/reaper.h"
#include "serving/versions/scaling.h"
#include "serving/versions/version_record.h"
#include "serving/versions/warm_up.h"

namespace protean {

/// `probe`: whether the model's rows are independent; null: nobody asks.  `scaling`: how instances and threads are
/// chosen; by itself it has nothing to choose.  `recordings`: of a product's own format; null: not read.
struct LoadPipeline {
  RequestDecoder decode;
  RecordedCallReader recordings;
  std::function<BatchFacts(Model&)> probe;
  ScalingOptions scaling;
  const Clock* clock = &Clock::system();
  Reaper* reaper = nullptr;
  metrics::Registry* registry = nullptr;
  bool check_files = true;  // that they still are what was found
};

/// `warming`: told when the warm-up begins.  `destroyed`: told, on any thread, when the last handle of a version that
/// loaded is gone and its memory is free.
/// Errors: those of the backend and the warm-up; kAborted when the files are being changed; kResourceExhausted when
/// there is not enough memory; kInternal for any exception that a backend lets through.
[[nodiscard]] Result<LoadOutcome> run_load(const LoadPipeline& pipeline, const LoadJob& job,
                                           const std::shared_ptr<ModelMetrics>& metrics,
                                           const std::function<void()>& warming, std::function<void()> destroyed);

}  // namespace protean
