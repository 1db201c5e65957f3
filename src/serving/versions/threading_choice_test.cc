// SPDX-License-Identifier: Apache-2.0
#include "serving/versions/threading_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace protean {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAlone{10};

/// `work`: relative to 100 runs a second.
ScalingPoint point(std::uint32_t at_once, std::uint32_t threads, double work, Duration run_time = kAlone) {
  return {at_once, threads, 100 * work, run_time};
}

Threading choose(const std::vector<ScalingPoint>& points, std::uint32_t run_threads) {
  return choose_threading(points, run_threads);
}

TEST(ThreadingChoice, TakesInstancesWhereRunsAtOnceScale) {
  const auto choice = choose(
      {point(1, 1, 1), point(2, 1, 1.9), point(1, 2, 1.3, milliseconds(8)), point(2, 2, 1.6, milliseconds(12))}, 2);
  EXPECT_EQ(choice.instances, 2);
  EXPECT_EQ(choice.run_limit, 0) << "as many as there are run threads is no limit";
  EXPECT_EQ(choice.threads, 1);
  EXPECT_TRUE(choice.measured);
  EXPECT_EQ(choice.why,
            "work done by runs of 1 thread: 1 at once 1.00, 2 at once 1.90; of 2 threads: 1 at once 1.30, "
            "2 at once 1.60; a run takes 10.0 ms, with 2 threads 8.0 ms: threads do not pay");
}

TEST(ThreadingChoice, TakesThreadsThatShortenRunsAndCostNoWork) {
  const auto choice = choose(
      {point(1, 1, 1), point(2, 1, 1.9), point(1, 2, 1.7, milliseconds(6)), point(2, 2, 1.85, milliseconds(11))}, 2);
  EXPECT_EQ(choice.threads, 2);
  EXPECT_EQ(choice.instances, 2) << "one at once would do less than 0.95 of the work of two with a thread each";
  EXPECT_EQ(choice.run_limit, 0);
  EXPECT_TRUE(choice.why.ends_with("threads pay")) << choice.why;
}

TEST(ThreadingChoice, LeavesOutASecondRunWhereTheThreadsOfOneDoAsMuch) {
  const auto choice = choose(
      {point(1, 1, 1), point(2, 1, 1.9), point(1, 2, 1.82, milliseconds(6)), point(2, 2, 1.9, milliseconds(11))}, 2);
  EXPECT_EQ(choice.threads, 2);
  EXPECT_EQ(choice.instances, 1);
  EXPECT_EQ(choice.run_limit, 1);
}

TEST(ThreadingChoice, AsksOfThreadsBothShorterRunsAndAsMuchWork) {
  EXPECT_EQ(choose({point(1, 1, 1), point(2, 1, 1), point(1, 2, 1.1, milliseconds(9))}, 2).threads, 1);
  EXPECT_EQ(choose({point(1, 1, 1), point(2, 1, 2), point(1, 2, 1.8, milliseconds(5))}, 2).threads, 1);
  EXPECT_EQ(choose({point(1, 1, 1), point(2, 1, 1), point(1, 2, 1.25, milliseconds(8))}, 2).threads, 2);
  EXPECT_EQ(choose({point(1, 1, 1), point(2, 1, 2), point(1, 2, 1.9, milliseconds(5))}, 2).threads, 2);
}

TEST(ThreadingChoice, TakesFewerInstancesWhereMoreDoNoMoreWork) {
  const auto choice = choose({point(1, 1, 1), point(2, 1, 1.09)}, 2);
  EXPECT_EQ(choice.instances, 1);
  EXPECT_EQ(choice.run_limit, 1);
  EXPECT_EQ(choice.why, "work done by runs of 1 thread: 1 at once 1.00, 2 at once 1.09");
}

TEST(ThreadingChoice, StopsWhereTheNextStepAddsLessThanATenth) {
  const auto choice = choose({point(1, 1, 1), point(2, 1, 1.9), point(4, 1, 3), point(8, 1, 3.2)}, 8);
  EXPECT_EQ(choice.instances, 4);
  EXPECT_EQ(choice.run_limit, 4);
}

TEST(ThreadingChoice, LooksBeyondAStepThatAddsNothing) {
  EXPECT_EQ(choose({point(1, 1, 1), point(2, 1, 1.05), point(4, 1, 1.5)}, 4).instances, 4);
}

}  // namespace
}  // namespace protean
