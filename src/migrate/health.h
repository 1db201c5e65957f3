// SPDX-License-Identifier: Apache-2.0
// Whether a side is worth asking: after a failure it is left alone for a while, which doubles until it answers again.
#pragma once

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/clock.h"

namespace protean::migrate {

///   up --failed()--> down (rests) --the rest is over--> on trial --succeeded()--> up
///                      ^______________________failed()_____|
/// Thread-safe.
class Health {
 public:
  static constexpr Duration kRestMin = std::chrono::milliseconds(100);
  static constexpr Duration kRestMax = std::chrono::seconds(5);

  /// False while it rests. When a rest is over, true for one caller, whose request is the trial; the others wait for
  /// the next rest to end.
  [[nodiscard]] bool may_try(TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (rest_ == Duration::zero()) return true;
    if (now < until_) return false;
    until_ = now + rest_;
    on_trial_ = true;
    return true;
  }
  /// True when it was down before.
  bool succeeded() {
    const std::lock_guard lock(mutex_);
    const bool was_down = rest_ != Duration::zero();
    rest_ = Duration::zero();
    on_trial_ = false;
    return was_down;
  }
  /// True when it was up before. Failures of requests that were sent before the rest began do not make it longer.
  bool failed(TimePoint now) {
    const std::lock_guard lock(mutex_);
    const bool was_up = rest_ == Duration::zero();
    if (!was_up && !std::exchange(on_trial_, false)) return false;
    rest_ = std::clamp<Duration>(rest_ * 2, kRestMin, kRestMax);
    until_ = now + rest_;
    return was_up;
  }
  [[nodiscard]] bool up() const {
    const std::lock_guard lock(mutex_);
    return rest_ == Duration::zero();
  }

 private:
  mutable std::mutex mutex_;
  Duration rest_{};        // guarded by mutex_; zero: up
  TimePoint until_{};      // guarded by mutex_; end of the rest
  bool on_trial_ = false;  // guarded by mutex_
};

}  // namespace protean::migrate
