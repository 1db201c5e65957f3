// SPDX-License-Identifier: Apache-2.0
// A cheap model gathers when its requests meet, and only then.
#include "serving/scheduling/gathering.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class GatheringTest : public ::testing::Test {
 protected:
  GatheringTest() { teach(microseconds(28), microseconds(2)); }

  void teach(Duration run, Duration row) {
    for (int i = 0; i < 50; ++i) {
      for (const std::uint64_t rows : {1, 8, 64}) cost_.observe(run + row * rows, 16, rows);
    }
  }
  /// Inline runs back to back for `time`, with pauses of `pause`.
  void run_inline(Duration time, Duration pause = microseconds(5)) {
    for (const TimePoint end = now_ + time; now_ < end && !gathering_.active();) {
      now_ += microseconds(30) + pause;
      gathering_.note_inline(now_, microseconds(30), cost_, 64, false);
    }
  }
  /// Runs of the executor with that many requests each.
  void run_batches(int count, std::uint64_t requests) {
    for (int i = 0; i < count; ++i) gathering_.note_batch(now_ += microseconds(100), requests, cost_, false);
  }

  RunCost cost_;
  Gathering gathering_;
  TimePoint now_{seconds(100)};
};

TEST_F(GatheringTest, StaysInlineWhileTheModelIsMostlyIdle) {
  run_inline(seconds(1), milliseconds(1));
  EXPECT_EQ(gathering_.state(), Gathering::State::kInline);
}

TEST_F(GatheringTest, TriesWhenBusyAndGathersWhenRequestsMeet) {
  run_inline(milliseconds(100));
  ASSERT_EQ(gathering_.state(), Gathering::State::kTrial);
  run_batches(24, 16);
  EXPECT_EQ(gathering_.state(), Gathering::State::kGathering);
  EXPECT_EQ(gathering_.description(), "gathered: 16.0 requests share a run");
}

TEST_F(GatheringTest, ComesBackInlineWhenRequestsDoNotMeetAndTriesLessAndLessOften) {
  run_inline(milliseconds(100));
  run_batches(24, 1);
  ASSERT_EQ(gathering_.state(), Gathering::State::kInline);
  run_inline(milliseconds(900));
  EXPECT_FALSE(gathering_.active()) << "the next trial is a second away";
  run_inline(milliseconds(300));
  ASSERT_TRUE(gathering_.active());
  run_batches(24, 1);
  run_inline(milliseconds(1900));
  EXPECT_FALSE(gathering_.active()) << "and the one after it two";
}

TEST_F(GatheringTest, LeavesWhenTheCrowdIsGoneAndNotForAMoment) {
  run_inline(milliseconds(100));
  run_batches(24, 16);
  run_batches(40, 1);
  run_batches(24, 16);
  EXPECT_TRUE(gathering_.active()) << "6.6 on average";
  run_batches(64, 1);
  EXPECT_FALSE(gathering_.active());
}

TEST_F(GatheringTest, NeverTriesWhereSharingCannotEarnTheHandOver) {
  for (int i = 0; i < 100; ++i) teach(microseconds(7), microseconds(1));  // 8 us alone, 39 us to hand over
  run_inline(seconds(1));
  EXPECT_EQ(gathering_.state(), Gathering::State::kInline);
}

}  // namespace
}  // namespace protean
