// SPDX-License-Identifier: Apache-2.0
// The small contracts of base: results, checked arithmetic, locked data, invariants, the clock.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/checked_math.h"
#include "base/clock.h"
#include "base/locked.h"
#include "base/result.h"

namespace protean {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Code::kInvalidArgument, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  TRY(const int once, half(value));
  TRY(const int twice, half(once));
  return twice;
}

Status check_even(int value) {
  TRY_STATUS(half(value));
  return {};
}

TEST(Result, TryHandsOnValuesAndErrorsWithTheirPlace) {
  EXPECT_EQ(quarter(12), 3);
  const auto failed = quarter(6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kInvalidArgument);
  EXPECT_EQ(failed.error().message, "odd");
  EXPECT_EQ(std::string(failed.error().where.function_name()).find("quarter"), std::string::npos);
  EXPECT_TRUE(check_even(2));
  EXPECT_FALSE(check_even(3));
}

TEST(Result, TryMovesValuesThatCannotBeCopied) {
  const auto make = [](bool good) -> Result<std::unique_ptr<int>> {
    if (!good) return fail(Code::kNotFound, "none");
    return std::make_unique<int>(7);
  };
  const auto use = [&](bool good) -> Result<int> {
    TRY(const auto pointer, make(good));
    return *pointer;
  };
  EXPECT_EQ(use(true), 7);
  EXPECT_FALSE(use(false));
}

TEST(CodeName, SpellsAllSixteenAsGrpcDoes) {
  std::set<std::string_view> names;
  for (unsigned char number = 1; number <= 16; ++number) names.insert(code_name(static_cast<Code>(number)));
  EXPECT_EQ(names.size(), 16);
  EXPECT_EQ(code_name(Code::kCancelled), "CANCELLED");
  EXPECT_EQ(code_name(Code::kUnauthenticated), "UNAUTHENTICATED");
}

TEST(CheckedMath, FindsOverflowAtBothEnds) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(checked_add<std::int64_t>(kMax - 1, 1), kMax);
  EXPECT_FALSE(checked_add<std::int64_t>(kMax, 1));
  EXPECT_FALSE(checked_add<std::int64_t>(kMin, -1));
  EXPECT_EQ(checked_mul<std::uint64_t>(1ULL << 32, (1ULL << 32) - 1), 0xFFFFFFFF00000000U);
  EXPECT_FALSE(checked_mul<std::uint64_t>(1ULL << 32, 1ULL << 32));
  EXPECT_FALSE(checked_mul<std::int64_t>(kMin, -1));
  EXPECT_FALSE(checked_add<std::uint8_t>(200, 56));
  EXPECT_EQ(checked_add<std::uint8_t>(200, 55), 255);
}

TEST(Locked, LetsOneThreadInAtATime) {
  Locked<std::map<int, int>> table;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) table.with([n](auto& map) { ++map[n % 7]; });
    });
  }
  for (auto& thread : threads) thread.join();
  const auto& constant = table;
  EXPECT_EQ(constant.with([](const auto& map) {
    int total = 0;
    for (const auto& [key, count] : map) total += count;
    return total;
  }),
            4000);
}

TEST(CheckDeathTest, SaysWhereAndWhat) {
  EXPECT_DEATH(PROTEAN_CHECK(1 + 1 == 3), "base_test.cc:[0-9]+: invariant broken: 1 \\+ 1 == 3");
  PROTEAN_CHECK(true);
}

TEST(Clock, OfTheSystemNeverRunsBackwards) {
  const Clock& clock = Clock::system();
  const TimePoint first = clock.now();
  EXPECT_LE(first, clock.now());
  EXPECT_LT(first, kNever);
}

}  // namespace
}  // namespace protean
