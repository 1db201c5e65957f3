// SPDX-License-Identifier: Apache-2.0
// The whole serving core through seeded random histories; what holds in each is said in simulated_core_test_support.
#include <gtest/gtest.h>

#include "base/log.h"
#include "serving/simulated_core_test_support.h"
#include "serving/simulation_test_support.h"

namespace protean::testing {
namespace {

TEST(CoreSimulation, KeepsItsPromisesInEveryHistory) {
  log::configure(log::Level::kOff, log::Format::kText);
  play_histories(500, [](std::uint64_t seed) { return SimulatedCore(seed).play(); });
}

TEST(CoreSimulation, IsTheSameHistoryForTheSameSeed) {
  log::configure(log::Level::kOff, log::Format::kText);
  SimulatedCore once(7), again(7);
  EXPECT_EQ(once.play(), again.play());
  EXPECT_EQ(once.answered_well(), again.answered_well());
  EXPECT_EQ(once.loads(), again.loads());
}

/// Histories in which nothing loads or nothing is answered would prove nothing.
TEST(CoreSimulation, HistoriesAreWorthPlaying) {
  log::configure(log::Level::kOff, log::Format::kText);
  std::uint64_t answered = 0, loads = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SimulatedCore core(seed);
    EXPECT_EQ(core.play(), "");
    answered += core.answered_well();
    loads += core.loads();
  }
  EXPECT_GE(answered, 2000U);
  EXPECT_GE(loads, 500U);
}

}  // namespace
}  // namespace protean::testing
