// SPDX-License-Identifier: Apache-2.0
// A model as ONNX Runtime holds it, and what it says about its inputs and outputs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/onnxruntime/model_facts.h"
#include "backends/onnxruntime/runtime.h"
#include "core/model.h"

namespace protean {

/// How to make a session. `graph`: a ModelProto, copied. `facts`: never nullptr.
/// `intra_op_threads`: as in LoadOptions.
/// `save_folder`: where the optimised graph goes, as kCachedGraphFile and kCachedWeightsFile; empty: nowhere.
/// `weights_folder`: set when `graph` was saved that way: it is not optimised again, and its weights, `mapped_bytes`,
/// are mapped from the file in there. `keep`: lives as long as the session.
struct SessionPlan {
  std::string_view graph;
  const ModelFacts* facts = nullptr;
  std::uint32_t intra_op_threads = 0;
  std::string save_folder = {};
  std::string weights_folder = {};
  std::uint64_t mapped_bytes = 0;
  std::shared_ptr<const void> keep = nullptr;
};

/// Owns an OrtSession and a share in the library.  Thread-safe.
class OnnxSession {
 public:
  /// Errors: kInvalidArgument with why the library refuses the model and how to mend it, and for more threads than
  /// any machine has.
  static Result<std::shared_ptr<const OnnxSession>> make(std::shared_ptr<const OnnxRuntime> runtime,
                                                         const SessionPlan& plan);
  ~OnnxSession();
  OnnxSession(const OnnxSession&) = delete;
  OnnxSession& operator=(const OnnxSession&) = delete;

  [[nodiscard]] const OnnxRuntime& runtime() const noexcept { return *runtime_; }
  /// OrtApi::Run takes it without const; it is safe to call from many threads at once.
  [[nodiscard]] OrtSession* get() const noexcept { return session_; }
  /// `private_bytes`: what this load holds of our allocator (weights, packed weights), counted exactly, and what the
  /// process grew by meanwhile beyond that (the library's graph), at most twice the graph's bytes and 1 MiB, because
  /// other threads grow as well. Memory of running requests is not in it. `mapped_bytes`: size of the weights' file.
  [[nodiscard]] ModelMemory memory() const noexcept { return memory_; }

 private:
  OnnxSession(std::shared_ptr<const OnnxRuntime> runtime, OrtSession* session, const ModelMemory& memory,
              std::shared_ptr<const void> keep) noexcept
      : runtime_(std::move(runtime)), session_(session), memory_(memory), keep_(std::move(keep)) {}
  std::shared_ptr<const OnnxRuntime> runtime_;
  OrtSession* session_;
  ModelMemory memory_;
  std::shared_ptr<const void> keep_;
};

/// `2 intra-op threads of its own` and the like, for a LoadOptions::intra_op_threads.
[[nodiscard]] std::string describe_threads(const OnnxRuntime& runtime, std::uint32_t intra_op_threads);

/// `label_counts`: for each output of the signature, how many class labels its rows have (0: not flattened).
/// `left_out`: outputs that no protocol here can carry, with what they are: `y (a sequence)`.
struct SessionSignature {
  Signature signature;
  std::vector<std::int64_t> label_counts;
  std::vector<std::string> left_out;
};

/// Inputs in the model's order, those with a default last.
/// Errors: kInvalidArgument when an input, or every output, is something that no protocol here can carry.
[[nodiscard]] Result<SessionSignature> read_signature(const OnnxSession& session, const ModelFacts& facts);

}  // namespace protean
