// SPDX-License-Identifier: Apache-2.0
// Names and help texts; docs/metrics.md repeats them.
#include "serving/response_cache/cache_metrics.h"

#include <string>

namespace protean {

ResponseCacheMetrics::ResponseCacheMetrics(metrics::Registry& registry, std::string_view model,
                                           std::string_view version) {
  const metrics::Labels labels = {{"model", std::string(model)}, {"version", std::string(version)}};
  hits = registry.counter("protean_response_cache_hits", "Requests answered from the response cache.", labels);
  misses =
      registry.counter("protean_response_cache_misses", "Requests that ran the model although it has a cache.", labels);
  shared = registry.counter("protean_response_cache_shared",
                            "Requests that took the answer of an equal request that was running.", labels);
  evictions =
      registry.counter("protean_response_cache_evictions", "Answers dropped from the response cache for room.", labels);
  bytes =
      registry.gauge("protean_response_cache_bytes", "Memory of the response cache, its overhead included.", labels);
  entries = registry.gauge("protean_response_cache_entries", "Answers in the response cache.", labels);
}

}  // namespace protean
