// SPDX-License-Identifier: Apache-2.0
// Schedules against arithmetic by hand and the moments of the exponential distribution.
#include "cli/load/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>

namespace protean {
namespace {

using namespace std::chrono_literals;

TEST(Arrivals, ConstantOnesAreEvenlySpaced) {
  Arrivals arrivals({ArrivalKind::kConstant, 100, 0, 1, 1});
  EXPECT_EQ(arrivals.next(), 0ms);
  EXPECT_EQ(arrivals.next(), 10ms);
  EXPECT_EQ(arrivals.next(), 20ms);
}

TEST(Arrivals, ThreadsShareOneConstantSchedule) {
  Arrivals first({ArrivalKind::kConstant, 100, 0, 2, 1});
  Arrivals second({ArrivalKind::kConstant, 100, 1, 2, 1});
  EXPECT_EQ(first.next(), 0ms);
  EXPECT_EQ(second.next(), 10ms);
  EXPECT_EQ(first.next(), 20ms);
  EXPECT_EQ(second.next(), 30ms);
}

TEST(Arrivals, PoissonGapsHaveMeanAndDeviationOfTheExponential) {
  constexpr int kCount = 200'000;
  Arrivals arrivals({ArrivalKind::kPoisson, 1000, 0, 1, 7});
  double sum = 0;
  double squares = 0;
  Duration before{};
  for (int i = 0; i < kCount; ++i) {
    const Duration at = arrivals.next();
    ASSERT_GE(at, before);
    const double gap = std::chrono::duration<double>(at - before).count();
    sum += gap;
    squares += gap * gap;
    before = at;
  }
  const double mean = sum / kCount;
  // Both are 1/rate; the standard error of the mean is 1/(rate sqrt(n)) = 0.2 % of it.
  EXPECT_NEAR(mean, 0.001, 0.00001);
  EXPECT_NEAR(std::sqrt(squares / kCount - mean * mean), 0.001, 0.00002);
}

TEST(Arrivals, TheSeedDecides) {
  Arrivals a({ArrivalKind::kPoisson, 10, 0, 1, 1});
  Arrivals same({ArrivalKind::kPoisson, 10, 0, 1, 1});
  Arrivals other({ArrivalKind::kPoisson, 10, 0, 1, 2});
  const Duration first = a.next();
  EXPECT_EQ(same.next(), first);
  EXPECT_NE(other.next(), first);
}

}  // namespace
}  // namespace protean
