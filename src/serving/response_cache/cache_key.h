// SPDX-License-Identifier: Apache-2.0
// What makes two requests to one version equal. Equality is decided by comparing everything, bytes included; the hash
// only finds the candidate, so no collision, found or made, can bring somebody else's answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "core/inference.h"

namespace protean {

/// `head`: names, types, shapes, parameters and requested outputs, each with its length; inputs in the order of their
/// names, so that the order in a request does not matter. `data`: the inputs' bytes in that order, shared, not copied.
/// `hash`: of all that, with a seed drawn at start-up. Requests' ids, deadlines, priorities and parameters that only
/// shape the wire (`binary_data...`, `timeout`, `priority`) are left out.
struct CacheKey {
  std::string head;
  std::vector<Slice> data;
  std::uint64_t hash = 0;

  [[nodiscard]] std::size_t data_bytes() const noexcept;
  friend bool operator==(const CacheKey& a, const CacheKey& b) noexcept;
};

/// Costs one pass over the inputs' bytes.  Thread-safe.
[[nodiscard]] CacheKey make_cache_key(const InferRequest& request);

/// The same key with its data in memory of its own: the request's body may go.
[[nodiscard]] CacheKey copy_of(const CacheKey& key);

/// One share of memory that holds copies of all `parts`, each at a multiple of kBufferAlignment.
[[nodiscard]] std::vector<Slice> copy_together(const std::vector<Slice>& parts);

}  // namespace protean
