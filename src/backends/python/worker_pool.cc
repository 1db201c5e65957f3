// SPDX-License-Identifier: Apache-2.0
// Waiting happens on one condition variable; slots say there whatever changes.
#include "backends/python/worker_pool.h"

#include <algorithm>
#include <utility>

namespace protean::python {
namespace {

constexpr Duration kEndKnownWithin = std::chrono::milliseconds(80);

}  // namespace

WorkerPool::Lease::~Lease() {
  if (!worker_) return;
  {
    const std::lock_guard lock(pool_->shared_.mutex);
    slot_->give_back(worker_, answered_);
  }
  pool_->shared_.changed.notify_one();
}

Result<std::vector<AnswerTensor>> WorkerPool::Lease::exchange(const WorkerRequest& request, const Patience& patience) {
  auto answer = worker_->exchange(request, patience);
  answered_ = !worker_->broken();
  if (answer || answered_ || answer.error().code != Code::kUnavailable) return answer;
  std::optional<std::string> how;
  if (auto why = worker_->why(); !why.empty()) {
    how = std::move(why);
  } else {
    std::unique_lock lock(pool_->shared_.mutex);
    pool_->shared_.changed.wait_for(lock, kEndKnownWithin, [&] { return (how = slot_->end_of(worker_)).has_value(); });
    if (!how) how = worker_->process().child().end_text();  // its thread had no turn yet
  }
  if (how) answer.error().message = std::string(worker_->subject()) + *how;
  return answer;
}

Result<std::unique_ptr<WorkerPool>> WorkerPool::start(std::size_t count,
                                                      const std::function<Result<SlotPlan>()>& plan) {
  std::unique_ptr<WorkerPool> pool(new WorkerPool);
  for (std::size_t i = 0; i < count; ++i) {
    TRY(auto slot_plan, plan());
    pool->slots_.push_back(std::make_unique<WorkerSlot>(std::move(slot_plan), pool->shared_));
  }
  TRY(pool->facts_, pool->wait_until_loaded());
  return pool;
}

WorkerPool::~WorkerPool() = default;

Result<LoadedFacts> WorkerPool::wait_until_loaded() {
  std::unique_lock lock(shared_.mutex);
  for (const auto& slot : slots_) {
    shared_.changed.wait(lock, [&] { return slot->first_load().has_value(); });
    if (!*slot->first_load()) return tl::unexpected(slot->first_load()->error());
  }
  return **slots_.front()->first_load();
}

tl::unexpected<Error> WorkerPool::nobody_there() const {
  const WorkerSlot* next = slots_.front().get();
  for (const auto& slot : slots_) {
    if (slot->next_start() < next->next_start()) next = slot.get();
  }
  auto refusal = fail(Code::kUnavailable,
                      std::string(worker_subject(next->shared())) + next->last_end() + " and is being started again");
  const Duration wait = next->next_start() - Clock::system().now();
  refusal.value().retry_after = std::max<Duration>(wait, std::chrono::milliseconds(100));
  return refusal;
}

Result<WorkerPool::Lease> WorkerPool::take(TimePoint deadline) {
  std::unique_lock lock(shared_.mutex);
  while (true) {
    bool busy = false;
    for (const auto& slot : slots_) {
      if (slot->state() == SlotState::kIdle) return Lease(*this, *slot, slot->take());
      busy = busy || slot->state() == SlotState::kBusy;
    }
    if (!busy) return nobody_there();
    if (shared_.changed.wait_until(lock, deadline) == std::cv_status::timeout) {
      return fail(Code::kDeadlineExceeded, "all Python workers of the model are busy");
    }
  }
}

std::uint64_t WorkerPool::own_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& slot : slots_) bytes += slot->own_bytes();
  return bytes;
}

}  // namespace protean::python
