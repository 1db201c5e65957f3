// SPDX-License-Identifier: Apache-2.0
// Virtual time for simulations: events in the order of their time, a seeded source of randomness, and how many
// histories to run. A failure names its seed; PROTEAN_SIMULATION_SEED replays that one alone.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/text.h"

namespace protean::testing {

class SimulatedTime final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return now_; }
  /// Same time: in the order given.
  void at(TimePoint when, std::function<void()> event) {
    events_.emplace(std::pair(std::max(when, now_), next_++), std::move(event));
  }
  void after(Duration wait, std::function<void()> event) { at(now_ + wait, std::move(event)); }
  /// Moves on to the next event; false when there is none.
  bool step() {
    if (events_.empty()) return false;
    auto event = std::move(events_.begin()->second);
    now_ = events_.begin()->first.first;
    events_.erase(events_.begin());
    event();
    return true;
  }

 private:
  TimePoint now_{std::chrono::seconds(1)};
  std::uint64_t next_ = 0;
  std::map<std::pair<TimePoint, std::uint64_t>, std::function<void()>> events_;
};

/// Same seed, same numbers, on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  /// 0 <= result < sides.
  std::uint64_t roll(std::uint64_t sides) { return engine_() % sides; }
  bool one_in(std::uint64_t sides) { return roll(sides) == 0; }
  Duration up_to(Duration limit) {
    return Duration(static_cast<Duration::rep>(roll(static_cast<std::uint64_t>(limit.count()))));
  }

 private:
  std::mt19937_64 engine_;
};

/// Runs `history` with seeds 1 to `count_default` (PROTEAN_SIMULATION_COUNT overrides it), or with
/// PROTEAN_SIMULATION_SEED alone, and stops at the first that fails.
inline void run_histories(std::uint64_t count_default, const std::function<void(std::uint64_t seed)>& history) {
  const auto variable = [](const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? std::nullopt : parse_uint64(text);
  };
  const auto only = variable("PROTEAN_SIMULATION_SEED");
  const std::uint64_t first = only.value_or(1);
  const std::uint64_t last = only ? *only : variable("PROTEAN_SIMULATION_COUNT").value_or(count_default);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("replay with PROTEAN_SIMULATION_SEED=" + std::to_string(seed));
    history(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace protean::testing
