// SPDX-License-Identifier: Apache-2.0
#include "trees/transform.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace protean {
namespace {

std::vector<double> linked(Link link, std::vector<double> margins, double k = 1) {
  std::vector<double> out(link == Link::kArgMax ? 1 : margins.size());
  apply_link(link, k, std::span<const double>(margins), std::span<double>(out));
  return out;
}

TEST(Transform, AppliesEachLink) {
  EXPECT_EQ(linked(Link::kIdentity, {-1, 2}), (std::vector<double>{-1, 2}));
  EXPECT_EQ(linked(Link::kSigmoid, {0}), (std::vector<double>{0.5}));
  EXPECT_DOUBLE_EQ(linked(Link::kSigmoid, {1}, 2)[0], 1 / (1 + std::exp(-2.0)));
  EXPECT_EQ(linked(Link::kExp, {0}), (std::vector<double>{1}));
  EXPECT_EQ(linked(Link::kStep, {0, 0.1, -1}), (std::vector<double>{0, 1, 0}));
  EXPECT_DOUBLE_EQ(linked(Link::kSoftplus, {0})[0], std::log(2.0));
  EXPECT_EQ(linked(Link::kSignedSquare, {-3, 2}), (std::vector<double>{-9, 4}));
  EXPECT_EQ(linked(Link::kMeanAndVariance, {7, 0}), (std::vector<double>{7, 1}));
  EXPECT_EQ(linked(Link::kArgMax, {1, 3, 3}), (std::vector<double>{1}));
  EXPECT_EQ(linked(Link::kSoftmax, {1000, 1000}), (std::vector<double>{0.5, 0.5}));
}

TEST(Transform, TakesExpInDoubleWhereTheLibraryDoes) {
  // A margin of a survival:aft model of XGBoost 3.2, and the prediction there; exp() in float gives 0.46411082.
  const std::vector<float> margins = {-0.76763195F};
  std::vector<float> out(1);
  apply_link(Link::kExpInDouble, 1, std::span<const float>(margins), std::span<float>(out));
  EXPECT_EQ(out[0], 0.4641108F);
}

TEST(Transform, StaysFiniteInFloat) {
  std::vector<float> margins = {-1000, 1000};
  apply_link(Link::kSigmoid, 1, std::span<const float>(margins), std::span<float>(margins));
  EXPECT_GT(margins[0], 0.0F);
  EXPECT_EQ(margins[1], 1.0F);
}

}  // namespace
}  // namespace protean
