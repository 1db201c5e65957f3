// SPDX-License-Identifier: Apache-2.0
// A token bucket for what costs a peer nothing and the server something: PINGs, SETTINGS, empty frames,
// streams opened only to be reset (CVE-2019-9512 to 9518, CVE-2023-44487, CVE-2025-8671).
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace protean::http2 {

/// Not thread-safe.
class FloodGuard {
 public:
  /// `burst` events at once, then `rate` a second.
  FloodGuard(double burst, double rate) noexcept : burst_(burst), rate_(rate), tokens_(burst) {}

  /// False when there were too many.
  [[nodiscard]] bool allow(TimePoint now) noexcept {
    if (now > refilled_at_) {
      const double seconds = std::chrono::duration<double>(now - refilled_at_).count();
      tokens_ = std::min(burst_, tokens_ + seconds * rate_);
      refilled_at_ = now;
    }
    tokens_ -= 1;
    return tokens_ >= 0;
  }
  /// Useful work happened: so many more events are fine.
  void refund(double events) noexcept { tokens_ = std::min(burst_, tokens_ + events); }

 private:
  double burst_;
  double rate_;
  double tokens_;
  TimePoint refilled_at_{};
};

}  // namespace protean::http2
