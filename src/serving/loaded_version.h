// SPDX-License-Identifier: Apache-2.0
// One loaded version as requests hold it: the model, what it costs to run, and its metrics. A handle keeps
// the version alive until the last request that uses it has ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/model.h"
#include "core/model_metrics.h"
#include "serving/run_cost.h"

namespace protean {

/// Constant after construction, but for `cost`, `waiting` and the model's own thread-safe insides.
struct LoadedVersion {
  std::string model_name;
  std::uint64_t version = 0;
  std::string version_text;
  std::unique_ptr<Model> model;
  std::shared_ptr<const Signature> signature;
  std::shared_ptr<ModelMetrics> metrics;
  RunCost cost;
  std::atomic<std::uint32_t> waiting{0};  // requests queued for the executor
};

using VersionHandle = std::shared_ptr<LoadedVersion>;

}  // namespace protean
