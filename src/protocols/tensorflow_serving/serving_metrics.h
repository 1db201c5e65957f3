// SPDX-License-Identifier: Apache-2.0
// The metrics that TensorFlow Serving shows, under its names, on a page of their own: dashboards made for it go on.
// Source: section 10 of the description of its protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/metrics.h"
#include "core/inference.h"

namespace protean::tfserving {

/// One request that was answered. `api`: `Predict`, `Classify`, ...; REST tells it in lower case.
/// `status`: `OK`, `INVALID_ARGUMENT`, ...  `examples`: rows that were computed; 0: unknown.
/// `times`: one entry a run that was asked for.
struct ServedRequest {
  std::string_view model;
  std::string_view api;
  std::string_view status;
  bool rest = false;
  std::uint64_t examples = 0;
  Duration latency{};
  std::span<const RunTimes> times = {};
};

/// The warm-up requests of one version. `path`: the version's folder.  `records`: that were read.
struct WarmedUp {
  std::string_view path;
  std::string_view status;
  std::uint64_t records = 0;
  Duration took{};
};

/// Thread-safe.  Models and paths are remembered up to a bound; what comes beyond it is counted together.
class ServingMetrics {
 public:
  void record(const ServedRequest& request);
  void record_warm_up(const WarmedUp& warmed);
  /// The page, in the text format of Prometheus.
  [[nodiscard]] std::string page() const;

 private:
  struct Members;
  struct Batches;
  [[nodiscard]] std::shared_ptr<Members> members(const ServedRequest& request);
  [[nodiscard]] std::shared_ptr<Batches> batches();
  void record_run(const Members& members, const ServedRequest& request, const RunTimes& run);
  void record_filling(const RunTimes& run);

  metrics::Registry registry_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Members>> known_;  // guarded by mutex_
  std::shared_ptr<Batches> batches_;                                 // guarded by mutex_; null: nothing has run
  std::set<std::string, std::less<>> paths_;                         // that were warmed; guarded by mutex_
  std::set<std::uint64_t> sizes_;                                    // of runs that were filled up; guarded by mutex_
};

}  // namespace protean::tfserving
