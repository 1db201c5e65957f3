// SPDX-License-Identifier: Apache-2.0
// What may be configured about one model, with the defaults that hold where nothing is. Read from the model's
// `protean.toml` (src/configuration), obeyed by the serving room, shown in the model's status.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "core/python_environment.h"
#include "core/table.h"
#include "core/tensorflow_config.h"

namespace protean {

/// Which of the versions that exist are to be served.
/// kLatest: the `latest` highest numbers.  kListed: those in `listed` that exist.
struct VersionPolicy {
  enum class Choice : unsigned char { kAll, kLatest, kListed };
  Choice choice = Choice::kAll;
  std::uint32_t latest = 1;
  std::vector<std::uint64_t> listed;
  /// true: load the new version, then unload the old one. false: the other way round, for models so large that
  /// two versions do not fit in memory.
  bool availability_preserving = true;
  /// How long a version that is no longer chosen stays loaded after the default moved away from it: a rollback
  /// within this time moves a pointer. Zero: unloaded at once.
  Duration keep_previous = std::chrono::minutes(5);
  friend bool operator==(const VersionPolicy&, const VersionPolicy&) = default;
};

/// A load that failed is tried again after `wait_first`, doubling up to `wait_max`, at most `attempts_max` times
/// in all; then only when the files change or somebody asks. A broken model (kInvalidArgument) is not retried.
struct LoadRetries {
  std::uint32_t attempts_max = 4;
  Duration wait_first = std::chrono::seconds(1);
  Duration wait_max = std::chrono::minutes(1);
  friend bool operator==(const LoadRetries&, const LoadRetries&) = default;
};

/// Runs before a version becomes visible; one that fails fails the load.
/// `generated_runs`: with inputs made from the signature, for each batch size that will be used.
/// `recorded`: the requests in the model's `warmup/` folder (Open Inference Protocol JSON, one a file), and those of
/// TensorFlow Serving in `assets.extra/tf_serving_warmup_requests`; each runs `recorded_runs` times.
/// `replayed_max`: recent live requests of the version before.  `time_max`: warming ends after this, without failing.
struct WarmUpConfig {
  std::uint32_t generated_runs = 2;
  bool recorded = true;
  std::uint32_t recorded_runs = 1;
  std::uint32_t replayed_max = 8;
  Duration time_max = std::chrono::seconds(30);
  friend bool operator==(const WarmUpConfig&, const WarmUpConfig&) = default;
};

/// When requests share a run. `rows` of a request: the first dimension of its inputs.
struct BatchConfig {
  /// kAuto: when the probe finds that the graph has a batch dimension and measuring that batches pay.
  enum class Mode : unsigned char { kAuto, kOn, kOff };
  Mode mode = Mode::kAuto;
  /// Largest batch; a request with more rows is split when `split`, else it runs alone.
  std::uint64_t rows_max = 64;
  /// Ascending. A batch is cut to the largest of these that its rows fill; what is left waits for the next run.
  std::vector<std::uint64_t> rows_preferred;
  /// Fill a batch up to the next preferred size with copies of its last row, so that the model sees few shapes.
  bool pad_rows = false;
  /// How long the oldest request may wait for company although nothing is running. Zero: batch while busy only.
  Duration delay{};
  bool split = true;
  /// Answers leave in the order of the requests: one run at a time, first come first served, no priorities.
  bool preserve_order = false;
  /// Requests whose other dimensions differ share a run after zero-padding to the next of these sizes (ascending)
  /// or, when empty, to the longest in the batch. Outputs are cut back where the model gives a dimension the
  /// input's size. Off: only requests of equal shape share a run.
  bool pad_dims = false;
  std::vector<std::int64_t> dim_buckets;
  friend bool operator==(const BatchConfig&, const BatchConfig&) = default;
};

/// `on_demand`: loaded at the first request, and unloaded when memory is needed or after `idle_unload` (zero:
/// never for idleness).  `pinned`: never evicted.
struct ResidencyConfig {
  bool on_demand = false;
  bool pinned = false;
  Duration idle_unload{};
};

/// Priorities: 1 is served first, 9 last; requests that name none have `priority`.
/// `weight`: share of the run threads when several models are busy, relative to the others' weights.
/// `instances`: runs of this model at one time; 0: chosen from the CPU quota and measured scaling.
/// `intra_op_threads`: threads inside one run; 0: chosen likewise.
/// `deadline`: for requests that bring none; zero: none.  `queue_max`: waiting requests; 0: the server's default.
/// `cache_bytes_max`: response cache and single flight; 0: off.
/// `columns`: what is said about the model's columns beside what its file says.
/// `python`: of models that run in Python workers.  `tensorflow`: of SavedModels.
struct ModelConfig {
  VersionPolicy versions;
  LoadRetries retries;
  WarmUpConfig warm_up;
  BatchConfig batch;
  ResidencyConfig residency;
  std::uint32_t instances = 0;
  std::uint32_t intra_op_threads = 0;
  std::uint32_t weight = 1;
  std::uint32_t priority = 5;
  std::uint32_t queue_max = 0;
  Duration deadline{};
  std::uint64_t cache_bytes_max = 0;
  std::vector<ColumnConfig> columns;
  PythonConfig python;
  TensorflowConfig tensorflow;
};

inline constexpr std::uint32_t kPriorityFirst = 1;
inline constexpr std::uint32_t kPriorityLast = 9;

}  // namespace protean
