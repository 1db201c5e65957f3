// SPDX-License-Identifier: Apache-2.0
// The way from other threads into a loop. It outlives the loop, so that an answer that comes after the server
// has stopped finds a closed box instead of freed memory.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "transport/session.h"

namespace protean {

/// Thread-safe.
class Mailbox {
 public:
  struct Letter {
    std::shared_ptr<SessionHost> recipient;  // nullptr: the loop itself
    std::function<void()> task;
  };

  /// `wake`: called with the mutex held when the first letter of a batch arrives; must lead to take().
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// Drops the letter when the box is closed.
  void post(Letter letter);
  /// All letters so far, in the order posted.
  [[nodiscard]] std::vector<Letter> take();
  /// Nothing is taken in afterwards; what is inside is dropped.
  void close();

 private:
  std::mutex mutex_;
  std::function<void()> wake_;   // guarded by mutex_; empty when closed
  std::vector<Letter> letters_;  // guarded by mutex_
};

}  // namespace protean
