// SPDX-License-Identifier: Apache-2.0
// The promised resolution, at every size of value.
#include "base/latency_histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace protean {
namespace {

using namespace std::chrono_literals;

TEST(LatencyHistogram, KnowsEveryValueToOnePercent) {
  for (std::int64_t ns = 1; ns < (std::int64_t{1} << 41); ns = ns * 9 / 7 + 1) {
    LatencyHistogram histogram;
    histogram.record(Duration(ns / 3));
    histogram.record(Duration(ns));
    histogram.record(Duration(ns * 2));
    const auto middle = static_cast<double>(histogram.quantile(0.5).count());
    EXPECT_NEAR(middle, static_cast<double>(ns), static_cast<double>(ns) / 128) << ns;
  }
}

TEST(LatencyHistogram, QuantilesAreThoseOfTheRankDefinition) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.record(Duration(i));  // below 128 ns each value has its bucket
  EXPECT_EQ(histogram.quantile(0), 1ns);
  EXPECT_EQ(histogram.quantile(0.5), 50ns);
  EXPECT_EQ(histogram.quantile(0.99), 99ns);
  EXPECT_EQ(histogram.quantile(0.991), 100ns);
  EXPECT_EQ(histogram.quantile(1), 100ns);
  EXPECT_EQ(histogram.mean(), 51ns);  // 50.5, rounded
  EXPECT_EQ(histogram.min(), 1ns);
  EXPECT_EQ(histogram.max(), 100ns);
  EXPECT_EQ(histogram.count_between(10ns, 20ns), 10U);
}

TEST(LatencyHistogram, QuantilesNeverLeaveWhatWasRecorded) {
  LatencyHistogram histogram;
  histogram.record(1'000'003ns);
  EXPECT_EQ(histogram.quantile(0.5), 1'000'003ns);
  EXPECT_EQ(histogram.quantile(1), 1'000'003ns);
}

TEST(LatencyHistogram, IsZeroWhenEmptyAndTakesExtremes) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.quantile(0.99), 0ns);
  EXPECT_EQ(histogram.min(), 0ns);
  EXPECT_EQ(histogram.mean(), 0ns);
  histogram.record(-5ns);
  histogram.record(Duration::max());
  EXPECT_EQ(histogram.min(), 0ns);
  EXPECT_GT(histogram.max(), 73min);
  EXPECT_EQ(histogram.count(), 2U);
}

TEST(LatencyHistogram, MergingAddsUp) {
  LatencyHistogram a;
  LatencyHistogram b;
  a.record(10ns);
  b.record(30ns);
  b.record(20ns);
  a.merge(b);
  EXPECT_EQ(a.count(), 3U);
  EXPECT_EQ(a.quantile(0.5), 20ns);
  EXPECT_EQ(a.mean(), 20ns);
  EXPECT_EQ(a.max(), 30ns);
}

}  // namespace
}  // namespace protean
