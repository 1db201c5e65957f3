// SPDX-License-Identifier: Apache-2.0
// The answers to everything that is not an inference: health, metadata, the repository's table and commands.
#pragma once

#include <functional>

#include "core/operation.h"
#include "server/readiness.h"
#include "serving/versions/repository.h"

namespace protean {

struct ControlOptions {
  ServerInfo info;
  /// Whether clients may load and unload models.
  bool model_control = true;
};

/// Thread-safe.
class Control {
 public:
  Control(ControlOptions options, Repository& repository, Readiness& readiness)
      : options_(std::move(options)), repository_(repository), readiness_(readiness) {}

  using Answer = std::function<void(Result<Outcome>)>;
  /// Calls `answer` once: at once, or from the repository's thread when a load has ended.
  /// Requires an operation other than InferRequest, ExplainRequest, InferManyRequest, WatchReady and Immediate.
  void execute(const Operation& operation, Answer answer);

 private:
  [[nodiscard]] Result<Outcome> describe_model(const ModelMetadata& question, const VersionHandle& chosen) const;
  void model_metadata(const ModelMetadata& question, Answer answer) const;
  [[nodiscard]] Result<Outcome> list_versions(const ModelVersions& question) const;
  [[nodiscard]] std::vector<VersionStatus> list_models(const ListModels& question) const;

  const ControlOptions options_;
  Repository& repository_;
  Readiness& readiness_;
};

}  // namespace protean
