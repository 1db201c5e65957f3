// SPDX-License-Identifier: Apache-2.0
// The precise timers of one loop (request deadlines and the like): a binary heap that knows where each timer
// stands, so that cancelling, which is what happens to nearly all of them, is cheap and leaves nothing behind.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/clock.h"

namespace protean {

/// Not thread-safe: belongs to its loop.
class TimerQueue {
 public:
  using Task = std::function<void()>;

  /// `owner`: a tag for cancel_owned().  Returns an id that is never 0 and not used again for 2^32 timers.
  std::uint64_t add(TimePoint when, const void* owner, Task task);
  /// False when there is no such timer (any more).
  bool cancel(std::uint64_t id);
  /// Cancels all timers of that owner.  Takes time in proportion to all timers.
  void cancel_owned(const void* owner);
  /// When the earliest timer is due; kNever when there is none.
  [[nodiscard]] TimePoint next() const noexcept;
  /// Removes the earliest timer if it is due and returns its owner and task; an empty task when none is.
  [[nodiscard]] std::pair<const void*, Task> take_due(TimePoint now);
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }

 private:
  struct Slot {
    TimePoint when{};
    const void* owner = nullptr;
    Task task;
    std::uint32_t generation = 0;
    std::uint32_t heap_at = 0;
  };

  [[nodiscard]] bool before(std::uint32_t a, std::uint32_t b) const noexcept { return slots_[a].when < slots_[b].when; }
  void place(std::size_t at, std::uint32_t slot) noexcept;
  void sift_up(std::size_t at) noexcept;
  void sift_down(std::size_t at) noexcept;
  Task remove(std::size_t at);

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> heap_;  // indices into slots_
};

}  // namespace protean
