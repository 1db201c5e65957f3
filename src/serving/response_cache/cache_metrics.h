// SPDX-License-Identifier: Apache-2.0
// What is counted about the response cache of one version.
#pragma once

#include <memory>
#include <string_view>

#include "base/metrics.h"

namespace protean {

/// Labels `model` and `version`; ModelMetrics::remove_from_registry() forgets these members too. Never null.
struct ResponseCacheMetrics {
  ResponseCacheMetrics(metrics::Registry& registry, std::string_view model, std::string_view version);

  std::shared_ptr<metrics::Counter> hits;       // answered from the cache
  std::shared_ptr<metrics::Counter> misses;     // ran the model
  std::shared_ptr<metrics::Counter> shared;     // took the answer of an equal request that was running
  std::shared_ptr<metrics::Counter> evictions;  // answers dropped for room
  std::shared_ptr<metrics::Gauge> bytes;
  std::shared_ptr<metrics::Gauge> entries;
};

}  // namespace protean
