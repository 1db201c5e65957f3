// SPDX-License-Identifier: Apache-2.0
// How much of a streamed answer may be on its way: a model that makes its answer faster than the client takes it waits,
// instead of filling memory.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stop_token>

#include "base/clock.h"
#include "base/result.h"

namespace protean {

/// Counts bytes that left the model and not yet the server. Owned jointly by the run and what it has on its way.
/// Thread-safe.
class PartWindow : public std::enable_shared_from_this<PartWindow> {
 public:
  explicit PartWindow(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  /// Waits until the bytes on their way are below the window's; one part of any size may then follow.
  /// Errors: kCancelled once `cancel` is asked for; kDeadlineExceeded at `until`.
  [[nodiscard]] Status wait(const std::stop_token& cancel, TimePoint until);
  /// Counts `bytes` as on their way until the last share in the returned owner is let go.
  [[nodiscard]] std::shared_ptr<const void> take(std::size_t bytes);

 private:
  void give_back(std::size_t bytes);

  const std::size_t bytes_max_;
  std::mutex mutex_;
  std::condition_variable_any room_;
  std::size_t bytes_ = 0;  // guarded by mutex_
};

}  // namespace protean
