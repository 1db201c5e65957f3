// SPDX-License-Identifier: Apache-2.0
// Whether the server takes requests, and who wants to know when that changes (gRPC health Watch).
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

namespace protean {

/// false while loading -> true -> false while draining.  Thread-safe.
class Readiness {
 public:
  /// Told each change, on the thread that makes it; returns false to be forgotten.
  using Watcher = std::function<bool(bool ready)>;

  [[nodiscard]] bool ready() const noexcept { return ready_.load(std::memory_order_acquire); }
  void set(bool ready);
  /// Calls `watcher` with the present state at once, then at each change.
  void watch(Watcher watcher);

 private:
  std::atomic<bool> ready_{false};
  std::mutex mutex_;
  std::vector<Watcher> watchers_;  // guarded by mutex_
};

}  // namespace protean
