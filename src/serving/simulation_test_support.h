// SPDX-License-Identifier: Apache-2.0
// What every simulation stands on: a clock that only events move, seeded randomness, and how many histories are
// played. A failure names its seed:
//   PROTEAN_SIMULATION_SEED=n replays that history alone; PROTEAN_SIMULATION_COUNT=n plays that many.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>

#include "base/clock.h"

namespace protean::testing {

/// The same numbers for the same seed, on every machine.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept;
  /// [0, bound).  Requires bound > 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  /// True once in `n`.
  bool once_in(std::uint64_t n) noexcept { return below(n) == 0; }
  /// [low, high], either end included.
  Duration between(Duration low, Duration high) noexcept;

 private:
  std::uint64_t state_;
};

/// Time, and what is to happen when; events of the same time happen in the order in which they were added.
class SimulatedTime final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return now_; }
  void at(TimePoint when, std::function<void()> what);
  void after(Duration wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }
  /// Goes to the next event and lets it happen; false when there is none.
  bool step();

 private:
  struct Event {
    TimePoint when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const noexcept {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  TimePoint now_{std::chrono::seconds(1)};
  std::uint64_t order_ = 0;
  std::priority_queue<Event> events_;
};

/// From the environment; `otherwise` when the variable is not set or is no number.
[[nodiscard]] std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise);

/// Plays histories 1 to `count` / `part` (or as the environment says), one a seed, until the test fails.
/// `play`: returns what did not hold; empty when everything did.  `part`: for histories that are long.
void play_histories(std::uint64_t count, const std::function<std::string(std::uint64_t seed)>& play,
                    std::uint64_t part = 1);

}  // namespace protean::testing
