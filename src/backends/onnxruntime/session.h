// SPDX-License-Identifier: Apache-2.0
// A model as ONNX Runtime holds it, and what it says about its inputs and outputs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/onnxruntime/prepare_model.h"
#include "backends/onnxruntime/runtime.h"
#include "core/model.h"

namespace protean {

/// Owns an OrtSession and a share in the library.  Thread-safe.
class OnnxSession {
 public:
  /// Copies what it needs of `model`.
  /// Errors: kInvalidArgument with why the library refuses the model and how to mend it.
  static Result<std::shared_ptr<const OnnxSession>> make(std::shared_ptr<const OnnxRuntime> runtime,
                                                         const PreparedModel& model);
  ~OnnxSession();
  OnnxSession(const OnnxSession&) = delete;
  OnnxSession& operator=(const OnnxSession&) = delete;

  [[nodiscard]] const OnnxRuntime& runtime() const noexcept { return *runtime_; }
  /// OrtApi::Run takes it without const; it is safe to call from many threads at once.
  [[nodiscard]] OrtSession* get() const noexcept { return session_; }

 private:
  OnnxSession(std::shared_ptr<const OnnxRuntime> runtime, OrtSession* session) noexcept
      : runtime_(std::move(runtime)), session_(session) {}
  std::shared_ptr<const OnnxRuntime> runtime_;
  OrtSession* session_;
};

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
