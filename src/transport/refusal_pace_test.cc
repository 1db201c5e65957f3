// SPDX-License-Identifier: Apache-2.0
#include "transport/refusal_pace.h"

#include <gtest/gtest.h>

#include "transport/session_test_support.h"

namespace protean {
namespace {

class RefusalPaceTest : public ::testing::Test {
 protected:
  void answer(std::uint32_t times, bool refused) {
    for (std::uint32_t i = 0; i < times; ++i) pace_.count(refused);
  }
  testing::ManualClock clock_;
  RefusalPace pace_;
};

TEST_F(RefusalPaceTest, StaysAwayWhenManyAnswersAreRefusals) {
  answer(255, true);
  EXPECT_EQ(pace_.pause(clock_), Duration::zero()) << "too few to judge by";
  answer(1, true);
  EXPECT_EQ(pace_.pause(clock_), RefusalPace::kPause);
}

TEST_F(RefusalPaceTest, DoesNotStayAwayForAFewRefusals) {
  answer(64, true);
  answer(192, false);
  EXPECT_EQ(pace_.pause(clock_), Duration::zero());
}

TEST_F(RefusalPaceTest, ComesBackWhenAnswersAreGoodAgain) {
  answer(256, true);
  EXPECT_EQ(pace_.pause(clock_), RefusalPace::kPause);
  answer(256, false);
  EXPECT_EQ(pace_.pause(clock_), Duration::zero());
}

TEST_F(RefusalPaceTest, ComesBackWhenTheStormIsOver) {
  answer(256, true);
  EXPECT_EQ(pace_.pause(clock_), RefusalPace::kPause);
  clock_.advance(RefusalPace::kCalmAfter);
  EXPECT_EQ(pace_.pause(clock_), RefusalPace::kPause);
  clock_.advance(Duration(1));
  EXPECT_EQ(pace_.pause(clock_), Duration::zero());
}

}  // namespace
}  // namespace protean
