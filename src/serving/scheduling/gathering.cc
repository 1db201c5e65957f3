// SPDX-License-Identifier: Apache-2.0
// Trials by utilisation, judged by the batches they brought.
#include "serving/scheduling/gathering.h"

#include <fmt/format.h>

#include <algorithm>

namespace protean {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kWindow = milliseconds(20);
constexpr double kBusy = 0.3;  // of the window spent in inline runs
constexpr std::uint64_t kTrialBatches = 24;
constexpr std::uint64_t kJudgedBatches = 64;
constexpr double kStayMean = 1.5;
constexpr double kEnterMean = 2;
constexpr double kEnterPart = 0.8;
constexpr double kStayPart = 1.0;
constexpr Duration kBackOffFirst = seconds(1);
constexpr Duration kBackOffMax = seconds(30);

}  // namespace

bool Gathering::pays(const RunCost& cost, double requests, double part) noexcept {
  const auto single = static_cast<double>(cost.predict(1).count());
  if (!cost.curve_known()) return single * part > static_cast<double>(kHandOverRequest.count());
  const auto shared = static_cast<double>(cost.predict(static_cast<std::uint64_t>(requests)).count());
  const double each =
      (shared + static_cast<double>(kHandOverRun.count())) / requests + static_cast<double>(kHandOverRequest.count());
  return each < part * single;
}

void Gathering::note_inline(TimePoint now, Duration run_time, const RunCost& cost, std::uint64_t rows_max,
                            bool always) noexcept {
  const TimePoint::rep at = now.time_since_epoch().count();
  const TimePoint::rep start = window_start_.load(std::memory_order_relaxed);
  const Duration::rep busy = window_busy_.load(std::memory_order_relaxed) + run_time.count();
  if (at - start < kWindow.count()) return window_busy_.store(busy, std::memory_order_relaxed);
  window_start_.store(at, std::memory_order_relaxed);
  window_busy_.store(0, std::memory_order_relaxed);
  // A window that ended long ago says nothing about now.
  if (static_cast<double>(busy) < kBusy * static_cast<double>(at - start)) return;
  if (at < next_trial_.load(std::memory_order_relaxed)) return;
  if (!always && !pays(cost, static_cast<double>(std::min<std::uint64_t>(rows_max, 16)), kEnterPart)) return;
  State expected = State::kInline;
  state_.compare_exchange_strong(expected, State::kTrial);
}

void Gathering::note_batch(TimePoint now, std::uint64_t requests, const RunCost& cost, bool always) noexcept {
  const State state = this->state();
  if (state == State::kInline) return;
  ++batches_;
  requests_ += requests;
  const bool trial = state == State::kTrial;
  if (batches_ < (trial ? kTrialBatches : kJudgedBatches)) return;
  const double mean = static_cast<double>(requests_) / static_cast<double>(batches_);
  last_mean_.store(mean, std::memory_order_relaxed);
  batches_ = requests_ = 0;
  if (mean < (trial ? kEnterMean : kStayMean)) return leave(now);
  if (!always && !pays(cost, mean, trial ? kEnterPart : kStayPart)) return leave(now);
  back_off_ = kBackOffFirst;
  state_.store(State::kGathering, std::memory_order_relaxed);
}

void Gathering::leave(TimePoint now) noexcept {
  next_trial_.store((now + back_off_).time_since_epoch().count(), std::memory_order_relaxed);
  back_off_ = std::min(2 * back_off_, kBackOffMax);
  state_.store(State::kInline, std::memory_order_relaxed);
}

std::string Gathering::description() const {
  const double mean = last_mean_.load(std::memory_order_relaxed);
  if (state() == State::kTrial) return "trying whether requests meet on the executor";
  if (state() == State::kGathering) return fmt::format("gathered: {:.1f} requests share a run", mean);
  if (mean == 0) return "not gathered: never busy enough to try, or sharing would not pay";
  return fmt::format("not gathered: {:.1f} requests shared a run when tried", mean);
}

}  // namespace protean
