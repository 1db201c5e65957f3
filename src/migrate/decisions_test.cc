// SPDX-License-Identifier: Apache-2.0
// The small state machines: split, health, guard, statistics.
#include <gtest/gtest.h>

#include "migrate/guard.h"
#include "migrate/health.h"
#include "migrate/split.h"
#include "migrate/statistics.h"

namespace protean::migrate {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kBegin{1h};

TEST(Split, MeetsItsShareCloselyAndSpreadsIt) {
  for (const double weight : {0.0, 0.01, 0.25, 0.5, 1.0}) {
    Split split(weight);
    int chosen = 0;
    int longest = 0;
    int run = 0;
    for (int i = 0; i < 10000; ++i) {
      const bool is_new = split.next() == Side::kTo;
      chosen += is_new ? 1 : 0;
      run = is_new ? 0 : run + 1;
      longest = std::max(longest, run);
    }
    EXPECT_NEAR(chosen, weight * 10000, 150) << weight;
    EXPECT_TRUE(weight != 0.5 || longest < 30);
  }
}

TEST(Split, TheSameRequestIsChosenInEveryRun) {
  Split first(0.3);
  Split second(0.3);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(first.next(), second.next());
}

TEST(Split, CallsThatAreNotSpreadGoToTheLargerShare) {
  EXPECT_EQ(Split(0.5).majority(), Side::kFrom);
  EXPECT_EQ(Split(0.6).majority(), Side::kTo);
}

TEST(Health, ASideThatFailsRestsTwiceAsLongEachTime) {
  Health health;
  EXPECT_TRUE(health.may_try(kBegin));
  EXPECT_TRUE(health.failed(kBegin));
  EXPECT_FALSE(health.up());
  EXPECT_FALSE(health.may_try(kBegin + 99ms));
  EXPECT_TRUE(health.may_try(kBegin + 100ms));   // the trial
  EXPECT_FALSE(health.may_try(kBegin + 101ms));  // for one only
  EXPECT_FALSE(health.failed(kBegin + 110ms));
  EXPECT_FALSE(health.may_try(kBegin + 309ms));
  EXPECT_TRUE(health.may_try(kBegin + 310ms));
}

TEST(Health, AnAnswerEndsTheRest) {
  Health health;
  static_cast<void>(health.failed(kBegin));
  EXPECT_TRUE(health.succeeded());
  EXPECT_FALSE(health.succeeded());
  EXPECT_TRUE(health.may_try(kBegin));
}

TEST(Health, FailuresOfRequestsFromBeforeDoNotLengthenTheRest) {
  Health health;
  for (int i = 0; i < 50; ++i) static_cast<void>(health.failed(kBegin));
  EXPECT_TRUE(health.may_try(kBegin + 100ms));
}

TEST(Health, NoRestIsLongerThanTheMost) {
  Health health;
  TimePoint now = kBegin;
  for (int i = 0; i < 20; ++i) {
    static_cast<void>(health.failed(now));
    now += Health::kRestMax;
    EXPECT_TRUE(health.may_try(now));
  }
}

TEST(Guard, SaysNothingBeforeThereAreSamplesAndOncePerBreach) {
  Guard guard({true, 0.1, 0.1, 100, 20});
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(guard.compared(true));
  const auto why = guard.compared(true);
  ASSERT_TRUE(why);
  EXPECT_EQ(*why, "100.0 % of the last 20 comparisons found a difference, expected at most 10.0 %");
  EXPECT_FALSE(guard.compared(true));
}

TEST(Guard, LooksAtTheLastObservationsOnly) {
  Guard guard({true, 0.1, 1, 100, 20});
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(guard.answered(false));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(guard.answered(true));
  EXPECT_TRUE(guard.answered(true));  // 11 of the last 100
}

TEST(Guard, IsOffUnlessAskedFor) {
  Guard guard(GuardOptions{});
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(guard.answered(true));
}

Comparison different(DifferenceKind kind) {
  Comparison comparison;
  comparison.differ(kind, Path{nullptr, "body", 0}, "a", "b");
  return comparison;
}

TEST(Statistics, CountsEachComparisonWhereItBelongs) {
  Statistics statistics(10);
  const CallName call{"m", "REST predict"};
  EXPECT_FALSE(statistics.compared(call, Comparison()));
  EXPECT_TRUE(statistics.compared(call, different(DifferenceKind::kValue)));
  EXPECT_TRUE(statistics.compared({"n", "REST predict"}, different(DifferenceKind::kFormat)));
  Comparison failed;
  failed.fail(Verdict::kToFailed);
  EXPECT_TRUE(statistics.compared(call, failed));
  statistics.answered(call, Side::kFrom, 2ms);
  statistics.mirrored(call, Side::kTo, 1ms);
  const Snapshot snapshot = statistics.snapshot();
  const ParityRow& row = snapshot.rows.at(call);
  EXPECT_EQ(row.compared(), 2U);
  EXPECT_EQ(row.count(Verdict::kDifferent), 1U);
  EXPECT_EQ(row.one_side_failed(), 1U);
  EXPECT_EQ(row.sides[0].answered, 1U);
  EXPECT_EQ(row.sides[1].answered, 0U);
  EXPECT_EQ(row.sides[1].latency.count(), 1U);
  EXPECT_EQ(snapshot.total().compared(), 3U);
  EXPECT_EQ(snapshot.total().count(Verdict::kFormatting), 1U);
}

TEST(Statistics, WantsFewExamplesOfTheSameFault) {
  Statistics statistics(100);
  const CallName call{"m", "REST predict"};
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(statistics.compared(call, different(DifferenceKind::kValue)), i < Statistics::kAlikeMax) << i;
  }
  EXPECT_TRUE(statistics.compared(call, different(DifferenceKind::kMissing)));
}

TEST(Statistics, NamesFromClientsCannotFillMemory) {
  Statistics statistics(1);
  for (int i = 0; i < 2000; ++i) statistics.dropped({std::to_string(i), "REST predict"});
  const Snapshot snapshot = statistics.snapshot();
  EXPECT_LE(snapshot.rows.size(), Statistics::kRowsMax + 2);
  EXPECT_EQ(snapshot.total().dropped, 2000U);
}

}  // namespace
}  // namespace protean::migrate
