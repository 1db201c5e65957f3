// SPDX-License-Identifier: Apache-2.0
// A loaded Python model as the rest of the house sees it: requests go to its workers, answers are held against what
// the model declared.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "backends/python/worker_pool.h"
#include "base/clock.h"
#include "core/model.h"

namespace protean::python {

class PythonModel final : public Model {
 public:
  PythonModel(std::unique_ptr<WorkerPool> pool, Duration run_time_max, std::vector<std::string> notes);

  [[nodiscard]] const Signature& signature() const noexcept override { return pool_->facts().signature; }
  /// Errors: kInvalidArgument (the model raised InvalidInput), kInternal (it raised anything else, or its answer is not
  /// what it declared), kDeadlineExceeded (time-out), kCancelled (the run was stopped), kUnavailable (the worker
  /// ended).
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  [[nodiscard]] Result<Contributions> explain(const RunRequest& request) override;
  [[nodiscard]] ModelMemory memory() const noexcept override { return {pool_->own_bytes(), 0}; }
  [[nodiscard]] std::vector<std::string> load_notes() const override { return notes_; }
  [[nodiscard]] std::uint32_t remote_runs() const noexcept override;

 private:
  [[nodiscard]] Result<std::vector<AnswerTensor>> ask(const WorkerRequest& request, const std::stop_token& cancel);
  [[nodiscard]] Result<std::vector<Tensor>> run_in_parts(const RunRequest& request);
  /// The tensors that were asked for, if the worker sent them.
  [[nodiscard]] Result<std::vector<Tensor>> outputs_of(std::vector<AnswerTensor> answer,
                                                       const RunRequest& request) const;

  const std::unique_ptr<WorkerPool> pool_;
  const Duration run_time_max_;
  const std::vector<std::string> notes_;
};

}  // namespace protean::python
