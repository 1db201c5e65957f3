// SPDX-License-Identifier: Apache-2.0
// The description of a cached graph, as it stands in its file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backends/onnxruntime/model_facts.h"

namespace protean {

/// Digests: SHA-256 in hexadecimal. Without weights, `weights_digest` is empty.
struct CacheEntry {
  std::uint64_t graph_bytes = 0;
  std::string graph_digest;
  std::uint64_t weights_bytes = 0;
  std::int64_t weights_modified_ns = 0;
  std::string weights_digest;
  ModelFacts facts;
};

/// Ends with its own digest, so that no damage goes unseen.
[[nodiscard]] std::string encode_entry(const CacheEntry& entry);
/// nullopt when it is damaged, or of another format.
[[nodiscard]] std::optional<CacheEntry> decode_entry(std::string_view text);

}  // namespace protean
