// SPDX-License-Identifier: Apache-2.0
// What the scheduler keeps about one loaded version: its queue, its place among the other versions, how many of its
// runs are under way, and whether its requests share runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

#include "base/clock.h"
#include "core/model_config.h"
#include "serving/scheduling/gathering.h"
#include "serving/scheduling/waiting_queue.h"

namespace protean {

struct LoadedVersion;

/// A lane with waiting requests, among the others: by start tag, then by the order in which lanes appeared.
struct LanePlace {
  double start_tag = 0;
  std::uint64_t lane_id = 0;
  LoadedVersion* version = nullptr;
  friend bool operator<(const LanePlace& a, const LanePlace& b) noexcept {
    return a.start_tag != b.start_tag ? a.start_tag < b.start_tag : a.lane_id < b.lane_id;
  }
};
using LanePlaces = std::set<LanePlace>;

/// Whether this version's requests share runs, judged by the measured curve.
class SharingDecision {
 public:
  enum class Why : unsigned char { kOff, kNotBatchable, kOn, kLearning, kPays, kDoesNotPay };
  /// To be asked once a run: every now and then a batch is tried although it does not pay, to measure again.
  [[nodiscard]] bool decide(const LoadedVersion& version) noexcept;
  [[nodiscard]] Why why() const noexcept { return why_.load(std::memory_order_relaxed); }
  /// Runs are shared at present; decided last time.  Thread-safe.
  [[nodiscard]] bool shares() const noexcept;

 private:
  std::atomic<Why> why_{Why::kLearning};
  std::uint32_t since_tried_ = 0;
};

/// Guarded by the scheduler's lock, but for what is atomic.
struct Lane {
  WaitingQueue queue;
  LanePlaces::node_type spare_place;  // when nothing waits
  LanePlaces::iterator place;         // when something waits
  double start_tag = 0;               // nanoseconds of run time over weight
  std::uint64_t id = 0;               // 0: not seen by a dispatcher yet
  SharingDecision sharing;
  std::uint32_t runs = 0;        // of the executor, under way
  std::uint32_t since_aged = 0;  // runs since the oldest request went first
  double overhead_ns = 0;        // a request's own part of a run's time outside the model, exponential mean
  double recent_rows = 1;        // of a run: up at once, down by an eighth
  double pessimism = 1;          // factor on forecasts, see admission.h
  TimePoint pessimism_at{};      // when it was last looked at
  TimePoint next_probe{};        // a request that looks doomed by its own run alone is let through then

  Gathering gathering;
  std::atomic<std::uint32_t> running{0};  // runs under way, inline ones included
};

/// The version's configuration, or the defaults when it has none.
[[nodiscard]] const ModelConfig& config_of(const LoadedVersion& version) noexcept;
/// Whether its requests may ever share a run.
[[nodiscard]] bool may_share(const LoadedVersion& version) noexcept;
/// Runs at one time, inline ones included; 0: as many as there are threads.
[[nodiscard]] std::uint32_t run_limit(const LoadedVersion& version) noexcept;
/// Counts one more run, or returns false at the limit.  Thread-safe.
[[nodiscard]] bool try_start_run(LoadedVersion& version) noexcept;

}  // namespace protean
