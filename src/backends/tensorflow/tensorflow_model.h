// SPDX-License-Identifier: Apache-2.0
// The functions of a SavedModel that TensorFlow itself runs.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "backends/tensorflow/functions.h"
#include "backends/tensorflow/session.h"
#include "core/model.h"

namespace protean {

/// One function. run() is thread-safe and computes on the calling thread; it cannot be stopped in its middle.
class TensorflowModel final : public Model {
 public:
  /// The main function of `planned`, with the others behind take_functions().
  /// Errors: kInvalidArgument when the main one names tensors that the graph has not; others are left out with a note.
  static Result<std::unique_ptr<Model>> make(std::shared_ptr<const TensorflowSession> session,
                                             PlannedFunctions planned);

  [[nodiscard]] const Signature& signature() const noexcept override { return function_.signature; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  /// Of the session, told by the main function.
  [[nodiscard]] ModelMemory memory() const noexcept override { return main_ ? session_->memory() : ModelMemory{}; }
  [[nodiscard]] std::vector<std::string> load_notes() const override { return notes_; }
  [[nodiscard]] std::vector<std::unique_ptr<Model>> take_functions() override { return std::move(others_); }

 private:
  TensorflowModel(std::shared_ptr<const TensorflowSession> session, PlannedFunction function)
      : session_(std::move(session)), function_(std::move(function)) {}
  static Result<std::unique_ptr<TensorflowModel>> make_one(std::shared_ptr<const TensorflowSession> session,
                                                           PlannedFunction function);
  Result<std::vector<Tensor>> run_checked(const RunRequest& request);
  bool may_ask_for(const std::vector<std::size_t>& outputs);

  const std::shared_ptr<const TensorflowSession> session_;
  const PlannedFunction function_;
  std::vector<TfOutput> inputs_;
  std::vector<TfOutput> outputs_;
  bool main_ = false;
  std::vector<std::string> notes_;
  std::vector<std::unique_ptr<Model>> others_;
  std::mutex mutex_;
  std::set<std::vector<std::size_t>> asked_;  // guarded by mutex_
};

}  // namespace protean
