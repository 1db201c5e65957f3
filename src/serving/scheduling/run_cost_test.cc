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

}  // namespace
}  // namespace protean
