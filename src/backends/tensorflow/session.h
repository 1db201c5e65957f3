// SPDX-License-Identifier: Apache-2.0
// A SavedModel as TensorFlow holds it: its graph, and the session that all functions of the model run in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/tensorflow/library.h"
#include "backends/tensorflow/tensors.h"
#include "core/model.h"

namespace protean {

/// `folder`: what TensorFlow reads.  `tags`: exactly those of the meta graph.
/// `threads`: of the pool that all sessions of the process share; what the first session says holds.
/// `weights_bytes`: size of the checkpoint's files.
struct SessionSource {
  std::filesystem::path folder;
  std::vector<std::string> tags;
  std::uint32_t threads = 1;
  std::uint64_t weights_bytes = 0;
};

/// Thread-safe. Closed, and its memory given back, when the last function and the last output are gone.
class TensorflowSession {
 public:
  /// Errors: kInvalidArgument with TensorFlow's text when it refuses the model; kUnavailable, kResourceExhausted.
  static Result<std::shared_ptr<const TensorflowSession>> load(std::shared_ptr<const TensorflowRuntime> runtime,
                                                               const SessionSource& source);
  ~TensorflowSession();
  TensorflowSession(const TensorflowSession&) = delete;
  TensorflowSession& operator=(const TensorflowSession&) = delete;

  /// `name`: "x:0" or "x".  Errors: kInvalidArgument when the graph has none of that name or type.
  [[nodiscard]] Result<TfOutput> find(const std::string& name, DataType type) const;
  /// Runs on the calling thread; parts of an operation may go to the common pool.
  /// Errors: TensorFlow's code and text.
  [[nodiscard]] Result<std::vector<TfTensorOwner>> run(std::span<const TfOutput> inputs,
                                                       std::span<TfTensor* const> values,
                                                       std::span<const TfOutput> outputs) const;
  [[nodiscard]] const std::shared_ptr<const TensorflowRuntime>& runtime() const noexcept { return runtime_; }
  /// What the process grew by while it was loaded, at least the weights, at most four times those and the graph.
  [[nodiscard]] ModelMemory memory() const noexcept { return memory_; }

 private:
  TensorflowSession(std::shared_ptr<const TensorflowRuntime> runtime, TfGraph* graph) noexcept
      : runtime_(std::move(runtime)), graph_(graph) {}
  const std::shared_ptr<const TensorflowRuntime> runtime_;
  TfGraph* const graph_;
  TfSession* session_ = nullptr;  // set once by load()
  ModelMemory memory_;
};

}  // namespace protean
