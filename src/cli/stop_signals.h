// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT: the first asks for a clean end, the second ends the process at once.
#pragma once

#include <chrono>
#include <semaphore>
#include <stop_token>
#include <thread>

namespace protean {

/// Make it before any other thread: the signals stay blocked everywhere but in its own thread.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Blocks until the first signal.
  void wait() { first_.acquire(); }
  /// The same for at most that long; whether the signal came.
  [[nodiscard]] bool wait_for(std::chrono::milliseconds time) { return first_.try_acquire_for(time); }
  /// Asked to stop by the first signal: for work that looks up from time to time.  Thread-safe.
  [[nodiscard]] std::stop_token token() const { return asked_.get_token(); }

 private:
  void run();

  std::binary_semaphore first_{0};
  std::stop_source asked_;
  std::thread thread_;
};

}  // namespace protean
