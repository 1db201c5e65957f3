// SPDX-License-Identifier: Apache-2.0
// A loop that refuses much looks at its sockets less often. Waking for every request that will be refused takes the
// processor away from the runs which the admitted ones wait for; a little later many are refused in one go.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace protean {

/// Of one loop, for its thread only.
class RefusalPace {
 public:
  /// Added to the time that a refusal, and whatever else comes meanwhile, takes at most.
  static constexpr Duration kPause = std::chrono::milliseconds(3);
  static constexpr std::uint32_t kAnswersJudged = 256;
  static constexpr Duration kCalmAfter = std::chrono::milliseconds(250);

  void count(bool refused) noexcept {
    ++answers_;
    refusals_ += refused ? 1 : 0;
  }

  /// How long to stay away from the sockets now: kPause while more than a quarter of the last kAnswersJudged answers
  /// were refusals and answers go on at that rate, else zero.
  [[nodiscard]] Duration pause(const Clock& clock) noexcept {
    if (answers_ >= kAnswersJudged) {
      paced_ = 4 * refusals_ > answers_;
      answers_ = refusals_ = 0;
      if (paced_) judged_at_ = clock.now();
    }
    if (paced_ && clock.now() - judged_at_ > kCalmAfter) paced_ = false;
    return paced_ ? kPause : Duration::zero();
  }

 private:
  std::uint32_t answers_ = 0;
  std::uint32_t refusals_ = 0;
  bool paced_ = false;
  TimePoint judged_at_{};
};

}  // namespace protean
