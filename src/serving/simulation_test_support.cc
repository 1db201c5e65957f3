// SPDX-License-Identifier: Apache-2.0
// Cheap enough that a history of dozens of events takes well below a millisecond.
#include "serving/simulation_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/text.h"

namespace protean::testing {

std::uint64_t Random::next() noexcept {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

Duration Random::between(Duration low, Duration high) noexcept {
  return low + Duration(static_cast<Duration::rep>(below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

void SimulatedTime::at(TimePoint when, std::function<void()> what) {
  events_.push({std::max(when, now_), ++order_, std::move(what)});
}

bool SimulatedTime::step() {
  if (events_.empty()) return false;
  const Event event = events_.top();
  events_.pop();
  now_ = event.when;
  event.what();
  return true;
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : parse_uint64(text).value_or(otherwise);
}

void play_histories(std::uint64_t count, const std::function<std::string(std::uint64_t seed)>& play,
                    std::uint64_t part) {
  const std::uint64_t only = number_from_environment("PROTEAN_SIMULATION_SEED", 0);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : number_from_environment("PROTEAN_SIMULATION_COUNT", count) / part;
  for (std::uint64_t seed = first; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    EXPECT_EQ(play(seed), "") << "replay with PROTEAN_SIMULATION_SEED=" << seed;
  }
}

}  // namespace protean::testing
