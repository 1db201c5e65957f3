// SPDX-License-Identifier: Apache-2.0
// The metrics that TensorFlow Serving shows, under its names, on a page of their own: dashboards made for it go on.
// Source: section 10 of the description of its protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/metrics.h"

namespace protean::tfserving {

/// One request that was answered. `api`: `Predict`, `Classify`, ...; REST tells it in lower case.
/// `status`: `OK`, `INVALID_ARGUMENT`, ...  `examples`: rows that were computed; 0: unknown.
struct ServedRequest {
  std::string_view model;
  std::string_view api;
  std::string_view status;
  bool rest = false;
  std::uint64_t examples = 0;
  Duration latency{};
};

/// Thread-safe.  Models are remembered up to a bound; what comes beyond it is counted together.
class ServingMetrics {
 public:
  void record(const ServedRequest& request);
  /// The page, in the text format of Prometheus.
  [[nodiscard]] std::string page() const;

 private:
  struct Members;
  [[nodiscard]] std::shared_ptr<Members> members(const ServedRequest& request);

  metrics::Registry registry_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Members>> known_;  // guarded by mutex_
};

}  // namespace protean::tfserving
