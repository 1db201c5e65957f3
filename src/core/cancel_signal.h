// SPDX-License-Identifier: Apache-2.0
// How whoever waits for an answer tells whoever works on it that nobody waits any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace protean {

/// One-way switch with listeners.  Thread-safe; a listener runs at most once, on the thread that cancels (or the one
/// that listens, when it is too late), and outside the lock.
class CancelSignal {
 public:
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }

  void cancel() {
    std::vector<Listener> told;
    {
      const std::lock_guard lock(mutex_);
      if (cancelled_.exchange(true, std::memory_order_acq_rel)) return;
      told.swap(listeners_);
    }
    for (auto& listener : told) listener.second();
  }

  /// Returns an id for forget(); 0 when `leave` was called at once.
  std::uint64_t listen(std::function<void()> leave) {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_.load(std::memory_order_relaxed)) {
        listeners_.emplace_back(++last_id_, std::move(leave));
        return last_id_;
      }
    }
    leave();
    return 0;
  }

  /// The listener will not be called any more, unless it is being called right now.
  void forget(std::uint64_t id) {
    Listener gone;  // declared first: destroyed after the lock is let go
    const std::lock_guard lock(mutex_);
    for (auto& listener : listeners_) {
      if (listener.first != id) continue;
      gone = std::exchange(listener, std::move(listeners_.back()));
      listeners_.pop_back();
      return;
    }
  }

 private:
  using Listener = std::pair<std::uint64_t, std::function<void()>>;
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  std::vector<Listener> listeners_;  // guarded by mutex_
  std::uint64_t last_id_ = 0;        // guarded by mutex_
};

}  // namespace protean
