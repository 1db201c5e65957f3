// SPDX-License-Identifier: Apache-2.0
// The thresholds and the hysteresis between them.
#include "serving/scheduling/run_cost.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

using std::chrono::microseconds;

TEST(RunCost, HandsOverUntilMeasured) {
  const RunCost cost;
  EXPECT_FALSE(cost.runs_inline(16));
  EXPECT_EQ(cost.description(), "executor (not run yet)");
}

TEST(RunCost, TurnsInlineBelowTheLowerThreshold) {
  RunCost cost;
  cost.observe(microseconds(59), 16);
  EXPECT_TRUE(cost.runs_inline(16));
  EXPECT_EQ(cost.description(), "inline (59 us a run)");
}

TEST(RunCost, StaysWhereItIsBetweenTheThresholds) {
  RunCost cheap;
  cheap.observe(microseconds(10), 16);
  for (int i = 0; i < 100; ++i) cheap.observe(microseconds(100), 16);
  EXPECT_TRUE(cheap.runs_inline(16));

  RunCost dear;
  dear.observe(microseconds(1000), 16);
  for (int i = 0; i < 100; ++i) dear.observe(microseconds(100), 16);
  EXPECT_FALSE(dear.runs_inline(16));
}

TEST(RunCost, LeavesAboveTheUpperThreshold) {
  RunCost cost;
  cost.observe(microseconds(10), 16);
  for (int i = 0; i < 100; ++i) cost.observe(microseconds(200), 16);
  EXPECT_FALSE(cost.runs_inline(16));
}

TEST(RunCost, DoesNotJudgeAnUnusuallyLargeRequestByTheUsualOnes) {
  RunCost cost;
  cost.observe(microseconds(10), 1000);
  EXPECT_TRUE(cost.runs_inline(8000));
  EXPECT_FALSE(cost.runs_inline(9000));
}

TEST(RunCost, IsNotMisledByOneRunThatLostItsProcessor) {
  RunCost cost;
  for (int i = 0; i < 50; ++i) cost.observe(microseconds(10), 16);
  cost.observe(microseconds(20'000), 16);
  EXPECT_TRUE(cost.runs_inline(16));
}

TEST(RunCost, DoesNotJudgeARunAloneBySharedRuns) {
  RunCost cost;
  for (int i = 0; i < 50; ++i) cost.observe(microseconds(30), 16);
  for (int i = 0; i < 200; ++i) cost.observe(microseconds(400), 4096, 64, true);
  EXPECT_TRUE(cost.runs_inline(16));
}

TEST(RunCost, FindsTheLineThroughRunsOfDifferentSizes) {
  RunCost cost;
  EXPECT_FALSE(cost.known());
  cost.observe(microseconds(110), 16, 1);
  EXPECT_FALSE(cost.curve_known());
  for (int i = 0; i < 20; ++i) {
    for (const int rows : {1, 4, 32}) cost.observe(microseconds(100 + 10 * rows), 16, rows);
  }
  EXPECT_TRUE(cost.curve_known());
  EXPECT_NEAR(cost.run_ns(), 100'000, 1000);
  EXPECT_NEAR(cost.row_ns(), 10'000, 100);
  EXPECT_NEAR(static_cast<double>(cost.predict(16).count()), 260'000, 3000);
  EXPECT_GT(cost.predict_upper(16), cost.predict(16));
}

TEST(RunCost, TakesTheWholeCostForTheRowsWhileOneSizeIsKnown) {
  RunCost cost;
  for (int i = 0; i < 20; ++i) cost.observe(microseconds(50), 16, 1);
  EXPECT_EQ(cost.predict(4), microseconds(200));
}

TEST(RunCost, FollowsAModelThatBecomesSlower) {
  RunCost cost;
  for (int i = 0; i < 100; ++i) cost.observe(microseconds(100), 16, 1);
  for (int i = 0; i < 200; ++i) cost.observe(microseconds(300), 16, 1);
  EXPECT_NEAR(static_cast<double>(cost.predict(1).count()), 300'000, 3000);
}

}  // namespace
}  // namespace protean
