// SPDX-License-Identifier: Apache-2.0
// A small sample of the requests a version answered lately. The next version is warmed with them before it becomes
// visible, so that it meets what its clients really send.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "core/inference.h"

namespace protean {

/// Thread-safe; never makes a request wait: while somebody else is at it, a request is simply not sampled.
class RecentRequests {
 public:
  /// `count_max`: requests kept, the newest.  `bytes_max`: of all their inputs together.
  explicit RecentRequests(std::uint32_t count_max, std::uint64_t bytes_max = kBytesMax) noexcept
      : count_max_(count_max), bytes_max_(bytes_max) {}

  static constexpr std::uint64_t kBytesMax = std::uint64_t{2} << 20;
  /// At most one request is sampled in this time, once there are count_max.
  static constexpr Duration kInterval = std::chrono::seconds(1);

  /// Copies inputs and outputs asked for, now and then; costs one comparison otherwise. Offer only what the version
  /// answered well: whatever is replayed and fails stops a new version.
  void offer(const InferRequest& request, TimePoint now) noexcept;

  /// Newest first.
  [[nodiscard]] std::vector<std::shared_ptr<const InferRequest>> sample() const;

 private:
  struct Kept {
    std::shared_ptr<const InferRequest> request;
    std::uint64_t bytes = 0;
  };
  static Kept copy(const InferRequest& request, std::uint64_t bytes);

  const std::uint32_t count_max_;
  const std::uint64_t bytes_max_;
  std::atomic<TimePoint::rep> next_at_{0};
  mutable std::mutex mutex_;
  std::deque<Kept> kept_;    // guarded by mutex_, oldest first
  std::uint64_t bytes_ = 0;  // guarded by mutex_
};

}  // namespace protean
