// SPDX-License-Identifier: Apache-2.0
// Threads that load, scan and warm up stand behind those that answer requests.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace protean {

/// SCHED_BATCH and nice +10 for the calling thread, as far as the system allows.  `name`: at most 15 bytes.
void lower_this_threads_priority(const char* name) noexcept;

/// A few threads that work off a queue, oldest first.  Thread-safe.
class LoaderThreads {
 public:
  explicit LoaderThreads(std::size_t count);
  /// Drops what has not begun; waits for what has.
  ~LoaderThreads();
  LoaderThreads(const LoaderThreads&) = delete;
  LoaderThreads& operator=(const LoaderThreads&) = delete;

  void add(std::function<void()> job);
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  bool stopping_ = false;                   // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace protean
