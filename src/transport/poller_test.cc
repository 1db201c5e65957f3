// SPDX-License-Identifier: Apache-2.0
#include "transport/poller.h"

#include <gtest/gtest.h>

#include <thread>

namespace protean {
namespace {

constexpr Duration kForEver = std::chrono::hours(1);

TEST(Poller, ReportsThatItWasWoken) {
  Poller poller;
  poller.wake();
  EXPECT_TRUE(poller.wait(true).woken);
  EXPECT_FALSE(poller.wait(false).woken);
}

TEST(Poller, LooksAwayUntilItIsWoken) {
  Poller poller;
  std::thread waker([&] { poller.wake(); });
  poller.look_away(kForEver);
  waker.join();
  EXPECT_TRUE(poller.wait(true).woken);
}

TEST(Poller, DoesNotLookAwayFromWhatWokeItBefore) {
  Poller poller;
  poller.wake();
  poller.look_away(kForEver);
  EXPECT_TRUE(poller.wait(true).woken);
}

TEST(Poller, ReportsEveryWakingWhileItLooksAwayAgainAndAgain) {
  Poller poller;
  for (int i = 0; i < 100; ++i) {
    std::thread waker([&] { poller.wake(); });
    do {
      poller.look_away(kForEver);
    } while (!poller.wait(false).woken);
    waker.join();
  }
}

TEST(Poller, LooksAwayNoLongerThanItMay) {
  Poller poller;
  poller.look_away(std::chrono::milliseconds(1));
  EXPECT_FALSE(poller.wait(false).woken);
}

}  // namespace
}  // namespace protean
