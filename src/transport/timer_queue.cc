// SPDX-License-Identifier: Apache-2.0
// Slots hold the timers, the heap orders their indices; a freed slot is used again under a new generation.
#include "transport/timer_queue.h"

#include <utility>

namespace protean {

std::uint64_t TimerQueue::add(TimePoint when, const void* owner, Task task) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.when = when;
  slot.owner = owner;
  slot.task = std::move(task);
  ++slot.generation;
  heap_.push_back(index);
  slot.heap_at = static_cast<std::uint32_t>(heap_.size() - 1);
  sift_up(heap_.size() - 1);
  return (std::uint64_t{slot.generation} << 32) | (std::uint64_t{index} + 1);
}

bool TimerQueue::cancel(std::uint64_t id) {
  const std::uint64_t index = (id & UINT32_MAX) - 1;
  if (id == 0 || index >= slots_.size()) return false;
  const Slot& slot = slots_[index];
  const bool live = slot.heap_at < heap_.size() && heap_[slot.heap_at] == index;
  if (!live || slot.generation != id >> 32) return false;
  remove(slot.heap_at);
  return true;
}

void TimerQueue::cancel_owned(const void* owner) {
  std::vector<std::uint64_t> ids;
  for (const std::uint32_t index : heap_) {
    if (slots_[index].owner != owner) continue;
    ids.push_back((std::uint64_t{slots_[index].generation} << 32) | (std::uint64_t{index} + 1));
  }
  for (const std::uint64_t id : ids) cancel(id);
}

TimePoint TimerQueue::next() const noexcept { return heap_.empty() ? kNever : slots_[heap_.front()].when; }

std::pair<const void*, TimerQueue::Task> TimerQueue::take_due(TimePoint now) {
  if (heap_.empty() || slots_[heap_.front()].when > now) return {nullptr, nullptr};
  const void* owner = slots_[heap_.front()].owner;
  return {owner, remove(0)};
}

TimerQueue::Task TimerQueue::remove(std::size_t at) {
  const std::uint32_t index = heap_[at];
  const std::uint32_t last = heap_.back();
  heap_.pop_back();
  if (index != last) {
    place(at, last);
    sift_up(at);
    sift_down(slots_[last].heap_at);
  }
  free_.push_back(index);
  return std::exchange(slots_[index].task, nullptr);
}

void TimerQueue::place(std::size_t at, std::uint32_t slot) noexcept {
  heap_[at] = slot;
  slots_[slot].heap_at = static_cast<std::uint32_t>(at);
}

void TimerQueue::sift_up(std::size_t at) noexcept {
  const std::uint32_t moving = heap_[at];
  while (at > 0) {
    const std::size_t parent = (at - 1) / 2;
    if (!before(moving, heap_[parent])) break;
    place(at, heap_[parent]);
    at = parent;
  }
  place(at, moving);
}

void TimerQueue::sift_down(std::size_t at) noexcept {
  const std::uint32_t moving = heap_[at];
  for (std::size_t child = at * 2 + 1; child < heap_.size(); child = at * 2 + 1) {
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], moving)) break;
    place(at, heap_[child]);
    at = child;
  }
  place(at, moving);
}

}  // namespace protean
