// SPDX-License-Identifier: Apache-2.0
// The measured cost of running a model, and the decision it is measured for: run a request on the thread
// that decoded it, or hand it to the executor. Waking another core costs 20 to 50 us.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace protean {

/// Thread-safe; concurrent updates may lose one another, which only makes the estimate slower to move.
class RunCost {
 public:
  /// Below the first a model turns inline, above the second it leaves again.
  static constexpr Duration kInlineBelow = std::chrono::microseconds(60);
  static constexpr Duration kExecutorAbove = std::chrono::microseconds(150);
  /// A request with this many times the usual input is not what was measured.
  static constexpr std::uint64_t kUnusualFactor = 8;

  void observe(Duration run_time, std::uint64_t input_bytes) noexcept;

  /// Whether a request of this many input bytes had better run on the calling thread.
  [[nodiscard]] bool runs_inline(std::uint64_t input_bytes) const noexcept;

  /// `inline (9 us a run)`, for the model's status.
  [[nodiscard]] std::string description() const;

 private:
  std::atomic<std::int64_t> mean_ns_{-1};  // exponential mean, 1/8 a step; -1: never run
  std::atomic<std::uint64_t> mean_bytes_{0};
  std::atomic<bool> inline_{false};
};

}  // namespace protean
