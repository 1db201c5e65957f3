// SPDX-License-Identifier: Apache-2.0
#include "migrate/difference.h"

#include <gtest/gtest.h>

#include <limits>

namespace protean::migrate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const Path kRoot{nullptr, "body", 0};

TEST(Path, IsWrittenAsMembersAndElements) {
  const Path list = kRoot.member("predictions");
  const Path row = list.element(3);
  EXPECT_EQ(row.member("y").str(), "body.predictions[3].y");
  EXPECT_EQ(list.member("[1,2]").str(), "body.predictions[1,2]");
}

TEST(Tolerance, IsRelativeAndAbsolute) {
  EXPECT_TRUE(are_close(0, 9e-6, 1e-5));
  EXPECT_FALSE(are_close(0, 1.1e-5, 1e-5));
  EXPECT_TRUE(are_close(1000, 1000.01, 1e-5));  // 1e-5 + 1e-5 * 1000.01
  EXPECT_FALSE(are_close(1000, 1000.02, 1e-5));
  EXPECT_FALSE(are_close(-1, 1, 1e-5));
}

TEST(Tolerance, TreatsWhatIsNotFiniteAsValuesOfTheirOwn) {
  EXPECT_TRUE(are_close(kNan, kNan, 0));
  EXPECT_FALSE(are_close(kNan, 1, 1));
  EXPECT_TRUE(are_close(kInfinity, kInfinity, 0));
  EXPECT_FALSE(are_close(kInfinity, -kInfinity, 1));
  EXPECT_FALSE(are_close(kInfinity, 1e308, 1));
}

TEST(Comparison, TheWorstThingFoundIsTheVerdict) {
  Comparison comparison;
  EXPECT_EQ(comparison.verdict(), Verdict::kEqual);
  comparison.differ(DifferenceKind::kFormat, kRoot, "1", "1.0");
  EXPECT_EQ(comparison.verdict(), Verdict::kFormatting);
  compare_numbers(comparison, kRoot, 1, 1.000001, 1e-5);
  EXPECT_EQ(comparison.verdict(), Verdict::kWithinTolerance);
  compare_numbers(comparison, kRoot, 1, 2, 1e-5);
  EXPECT_EQ(comparison.verdict(), Verdict::kDifferent);
  EXPECT_EQ(comparison.largest_deviation(), 1);
  comparison.fail(Verdict::kToFailed);
  EXPECT_EQ(comparison.verdict(), Verdict::kToFailed);
}

TEST(Comparison, KeepsTheFirstDifferencesAndCountsAll) {
  Comparison comparison;
  for (std::size_t i = 0; i < 100; ++i) comparison.differ(DifferenceKind::kValue, kRoot.element(i), "a", "b");
  ASSERT_EQ(comparison.differences().size(), Comparison::kKept);
  EXPECT_EQ(comparison.differences()[0].path, "body[0]");
  EXPECT_EQ(comparison.count(DifferenceKind::kValue), 100U);
}

TEST(Comparison, WhatIsDifferentTakesTheRoomOfWhatIsOnlyWrittenDifferently) {
  Comparison comparison;
  for (std::size_t i = 0; i < 100; ++i) comparison.differ(DifferenceKind::kFormat, kRoot.element(i), "1", "1.0");
  comparison.differ(DifferenceKind::kMissing, kRoot.member("z"), "1", "");
  EXPECT_EQ(comparison.differences().size(), Comparison::kKept);
  EXPECT_EQ(comparison.differences()[0].path, "body.z");
}

TEST(Comparison, CutsLongValuesAndHidesControlCharacters) {
  Comparison comparison;
  comparison.differ(DifferenceKind::kText, kRoot, std::string(1000, 'x'), "a\x1b[31m");
  EXPECT_LE(comparison.differences()[0].from.size(), Comparison::kShownMax + 3);
  EXPECT_EQ(comparison.differences()[0].to, "a?[31m");
}

}  // namespace
}  // namespace protean::migrate
