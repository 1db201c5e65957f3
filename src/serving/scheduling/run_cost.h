// SPDX-License-Identifier: Apache-2.0
// The measured cost of running a model, as a line over the rows of a run: a + b * rows. Three decisions rest on it:
// run on the thread that brought the request or hand it over, share runs or not, admit or refuse.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace protean {

/// Thread-safe; concurrent updates may lose one another, which only makes the estimates slower to move.
///
/// Runs are averaged in buckets by row count (1, 2, 3-4, 5-8, ...), exponentially, with outliers clipped at four times
/// the mean; a and b are the least-squares line through the buckets, in which a bucket's weight halves with every
/// kHalfLife runs that were not its own.
class RunCost {
 public:
  /// Below the first a model turns inline, above the second it leaves again. Waking another core costs 20 to 50 us.
  static constexpr Duration kInlineBelow = std::chrono::microseconds(60);
  static constexpr Duration kExecutorAbove = std::chrono::microseconds(150);
  /// A request with this many times the usual input is not what was measured.
  static constexpr std::uint64_t kUnusualFactor = 8;
  static constexpr double kHalfLife = 4096;

  /// `shared`: by several requests, which says nothing about the run of one alone.
  void observe(Duration run_time, std::uint64_t input_bytes, std::uint64_t rows = 1, bool shared = false) noexcept;

  /// Whether a request of this many input bytes had better run on the calling thread.
  [[nodiscard]] bool runs_inline(std::uint64_t input_bytes) const noexcept;

  /// Whether anything has been observed; predictions are zero before.
  [[nodiscard]] bool known() const noexcept { return runs_.load(std::memory_order_relaxed) != 0; }
  /// Whether runs of different row counts have been observed, so that a and b are told apart.
  [[nodiscard]] bool curve_known() const noexcept { return curve_known_.load(std::memory_order_relaxed); }
  /// Expected time of a run of that many rows.
  [[nodiscard]] Duration predict(std::uint64_t rows) const noexcept;
  /// What 99 of 100 runs stay below.
  [[nodiscard]] Duration predict_upper(std::uint64_t rows) const noexcept;
  /// The line's constants, nanoseconds: of a run, and of each of its rows.
  [[nodiscard]] double run_ns() const noexcept { return run_ns_.load(std::memory_order_relaxed); }
  [[nodiscard]] double row_ns() const noexcept { return row_ns_.load(std::memory_order_relaxed); }

  /// `inline (9 us a run)`, for the model's status.
  [[nodiscard]] std::string description() const;
  /// `28.1 us + 1.92 us a row; 99 % of runs within 1.30 of that`.
  [[nodiscard]] std::string curve() const;

 private:
  static constexpr std::size_t kBuckets = 12;
  struct Bucket {
    std::atomic<double> mean_ns{0};
    std::atomic<double> mean_rows{0};
    std::atomic<std::uint32_t> count{0};  // up to kSettled
    std::atomic<std::uint64_t> last_run{0};
  };

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t rows) noexcept;
  void observe_spread(double ns, std::uint64_t rows) noexcept;
  void fit() noexcept;

  std::array<Bucket, kBuckets> buckets_;
  std::atomic<std::uint64_t> runs_{0};
  std::atomic<double> run_ns_{0};
  std::atomic<double> row_ns_{0};
  std::atomic<double> spread_{1.2};  // upper quantile of measured over predicted
  std::atomic<bool> curve_known_{false};
  std::atomic<std::int64_t> mean_ns_{-1};  // of runs that could be inline; exponential, 1/8 a step; -1: never run
  std::atomic<std::uint64_t> mean_bytes_{0};
  std::atomic<bool> inline_{false};
};

}  // namespace protean
