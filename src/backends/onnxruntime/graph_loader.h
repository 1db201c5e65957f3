// SPDX-License-Identifier: Apache-2.0
// From files to a session, by the shortest way that is safe: from the cache when its files are known or their content
// is, else checked, optimised by the library, and put into the cache for the next time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/onnxruntime/graph_cache.h"
#include "backends/onnxruntime/prepare_model.h"
#include "backends/onnxruntime/session.h"
#include "core/model.h"

namespace protean {

/// What the optimised graph depends on besides the model: format of the cache, version of the library, its settings,
/// and the processor (layouts of weights follow its vector instructions).
[[nodiscard]] std::string cache_environment(const OnnxRuntime& runtime);

/// 64 hexadecimal digits over all bytes of the model and its external data, and over `environment`.
[[nodiscard]] std::string cache_key(std::string_view environment, const PreparedModel& model);

struct LoadedGraph {
  std::shared_ptr<const OnnxSession> session;
  ModelFacts facts;
  std::vector<std::string> notes;
};

/// One for a backend.  Thread-safe.
class GraphLoader {
 public:
  /// `cache`: nullptr for none.
  GraphLoader(std::shared_ptr<const OnnxRuntime> runtime, std::shared_ptr<GraphCache> cache);

  /// Errors: those of Backend::load(); never one of the cache's, which end up in the notes.
  [[nodiscard]] Result<LoadedGraph> load(const ModelFiles& files, const LoadOptions& options) const;

 private:
  class Job;
  const std::shared_ptr<const OnnxRuntime> runtime_;
  const std::shared_ptr<GraphCache> cache_;
  const std::string environment_;
};

}  // namespace protean
