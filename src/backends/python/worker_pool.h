// SPDX-License-Identifier: Apache-2.0
// The workers of one loaded version, and who uses which.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/python/worker_slot.h"

namespace protean::python {

class WorkerPool {
 public:
  /// A worker for one request. Moves only; gives the worker back at its end.
  class Lease {
   public:
    Lease(WorkerPool& pool, WorkerSlot& slot, std::shared_ptr<Worker> worker) noexcept
        : pool_(&pool), slot_(&slot), worker_(std::move(worker)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    /// As Worker::exchange(); the error of a worker that ended says how, as far as that is known within 80 ms.
    [[nodiscard]] Result<std::vector<AnswerTensor>> exchange(const WorkerRequest& request, const Patience& patience);

   private:
    WorkerPool* pool_;
    WorkerSlot* slot_;
    std::shared_ptr<Worker> worker_;
    bool answered_ = false;
  };

  /// Starts `count` >= 1 workers and waits until all have loaded. `plan(i)`: for each of them.
  /// Errors: of the first that cannot load.
  static Result<std::unique_ptr<WorkerPool>> start(std::size_t count, const std::function<Result<SlotPlan>()>& plan);
  ~WorkerPool();

  /// What the workers said of the model.
  [[nodiscard]] const LoadedFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
  /// Waits for one while all are busy.  Errors: kUnavailable, with retry_after, when none is alive;
  /// kDeadlineExceeded.  Thread-safe.
  [[nodiscard]] Result<Lease> take(TimePoint deadline);
  /// Thread-safe.
  [[nodiscard]] std::uint64_t own_bytes() const noexcept;

 private:
  WorkerPool() = default;
  [[nodiscard]] Result<LoadedFacts> wait_until_loaded();
  [[nodiscard]] tl::unexpected<Error> nobody_there() const;

  SlotsShared shared_;
  std::vector<std::unique_ptr<WorkerSlot>> slots_;  // constant after start()
  LoadedFacts facts_;
};

}  // namespace protean::python
