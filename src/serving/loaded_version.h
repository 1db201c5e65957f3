// SPDX-License-Identifier: Apache-2.0
// One loaded version as requests hold it: the model, how it is configured, what it costs to run, its queue and
// its metrics. A handle keeps the version alive until the last request that uses it has ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/model.h"
#include "core/model_config.h"
#include "core/model_metrics.h"
#include "serving/response_cache/response_cache.h"
#include "serving/scheduling/lane.h"
#include "serving/scheduling/run_cost.h"
#include "serving/versions/recent_requests.h"
#include "serving/versions/threading_choice.h"

namespace protean {

/// Whether requests may share a run: found by running the model (scheduling/batch_probe.h).
/// `reason`: for the status: `rows are independent`, `output 'y' has no batch dimension`.
struct BatchFacts {
  bool batchable = false;
  std::string reason;
};

/// BatchFacts::reason, and what else is left out for it, of a model that is `stateful` (core/model.h).
inline constexpr const char* kStatefulReason = "a run may change what later runs answer";

/// Constant after construction, but for what is atomic and the model's own thread-safe insides.
struct LoadedVersion {
  std::string model_name;
  std::uint64_t version = 0;
  std::string version_text;
  std::unique_ptr<Model> model;
  std::shared_ptr<const Signature> signature;
  std::shared_ptr<const ModelConfig> config;
  std::shared_ptr<ModelMetrics> metrics;
  BatchFacts batch;
  Threading threading;
  std::vector<std::string> notes;          // how it was loaded and warmed, for the status
  std::unique_ptr<RecentRequests> recent;  // for warming the next version; null: not kept
  std::shared_ptr<ResponseCache> cache;    // null: switched off
  std::vector<InferInput> background;      // what explanations compare with, in the form of the inputs; may be empty
  std::uint32_t remote_runs = 0;           // Model::remote_runs()
  /// The model's other functions, ascending by name; scheduled and measured by themselves.
  std::vector<std::unique_ptr<LoadedVersion>> functions;
  RunCost cost;
  Lane lane;                                 // the scheduler's own
  std::atomic<std::uint32_t> waiting{0};     // requests queued for the executor
  std::atomic<TimePoint::rep> last_used{0};  // of the newest request, in the clock's own units
};

using VersionHandle = std::shared_ptr<LoadedVersion>;

/// The version as requests for one of its functions hold it; an empty name means the main one. Keeps the whole alive.
/// Errors: kInvalidArgument with error_reason::kNoFunction, naming those there are.
[[nodiscard]] Result<VersionHandle> find_function(VersionHandle version, std::string_view name);
/// The same before there are handles; part of `version`.
[[nodiscard]] Result<LoadedVersion*> function_of(LoadedVersion& version, std::string_view name);

}  // namespace protean
