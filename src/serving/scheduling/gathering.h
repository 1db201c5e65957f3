// SPDX-License-Identifier: Apache-2.0
// Whether a model cheap enough to run inline had better gather its requests into batches all the same. Inline runs
// follow one another and never meet, so coincidence cannot be seen from there: a busy model is handed to the executor
// for a short trial, and stays there when the batches of the trial were worth it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "serving/scheduling/run_cost.h"

namespace protean {

/// What sharing runs must earn: the hand-over of a batch to another core and of each answer back.
inline constexpr Duration kHandOverRun = std::chrono::microseconds(40);
inline constexpr Duration kHandOverRequest = std::chrono::microseconds(8);

///            busy, and sharing would pay            24 batches of 2 and more, sharing paid
///   kInline ---------------------------> kTrial ----------------------------------> kGathering
///      ^                                    |                                           |
///      +---- fewer: next trial later -------+        64 batches below 1.5 on average ---+
///
/// note_inline() is thread-safe; note_batch() is called under the scheduler's lock.
class Gathering {
 public:
  enum class State : unsigned char { kInline, kTrial, kGathering };

  /// Requests go to the queue although the model is cheap.
  [[nodiscard]] bool active() const noexcept { return state_.load(std::memory_order_relaxed) != State::kInline; }
  [[nodiscard]] State state() const noexcept { return state_.load(std::memory_order_relaxed); }

  /// An inline run ended at `now`.  `rows_max`: of a batch.  `always`: whatever sharing costs (batching is set to on).
  void note_inline(TimePoint now, Duration run_time, const RunCost& cost, std::uint64_t rows_max, bool always) noexcept;
  /// A run of that many requests ended.
  void note_batch(TimePoint now, std::uint64_t requests, const RunCost& cost, bool always) noexcept;

  /// Whether `requests` of one row each cost less together, hand-overs included, than `part` of one by one.
  [[nodiscard]] static bool pays(const RunCost& cost, double requests, double part) noexcept;
  [[nodiscard]] std::string description() const;

 private:
  void leave(TimePoint now) noexcept;

  std::atomic<State> state_{State::kInline};
  std::atomic<TimePoint::rep> window_start_{0};
  std::atomic<Duration::rep> window_busy_{0};
  std::atomic<TimePoint::rep> next_trial_{0};
  std::atomic<double> last_mean_{0};  // requests a batch, when last judged; 0: never
  std::uint64_t batches_ = 0;
  std::uint64_t requests_ = 0;
  Duration back_off_ = std::chrono::seconds(1);
};

}  // namespace protean
