// SPDX-License-Identifier: Apache-2.0
// How many connections the server serves at this moment: the bound on them, and what draining waits for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "base/clock.h"

namespace protean {

/// Thread-safe.
class ConnectionCount {
 public:
  explicit ConnectionCount(std::size_t count_max) : count_max_(count_max) {}

  /// False, and nothing counted, at the bound.
  [[nodiscard]] bool try_add() {
    const std::lock_guard lock(mutex_);
    if (count_ >= count_max_) return false;
    ++count_;
    return true;
  }
  void remove() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  /// Blocks until there is none or the deadline has passed; true when there is none.
  bool wait_for_none(TimePoint deadline) {
    std::unique_lock lock(mutex_);
    return none_.wait_until(lock, deadline, [this] { return count_ == 0; });
  }
  [[nodiscard]] std::size_t value() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  const std::size_t count_max_;
  mutable std::mutex mutex_;
  std::condition_variable none_;
  std::size_t count_ = 0;  // guarded by mutex_
};

}  // namespace protean
