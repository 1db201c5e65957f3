// SPDX-License-Identifier: Apache-2.0
#include "trees/tree_shap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "trees/predict.h"
#include "trees/quadrature.h"
#include "trees/tree_test_support.h"

namespace protean {
namespace {

using test::ensemble_of;
using test::stump;

TEST(Quadrature, IntegratesPolynomialsExactly) {
  const auto rule = gauss_legendre(4);
  for (int degree = 0; degree <= 7; ++degree) {
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += rule.weights[i] * std::pow(rule.points[i], degree);
    EXPECT_NEAR(sum, 1.0 / (degree + 1), 1e-14) << degree;
  }
}

TEST(TreeShap, GivesOneFeatureAllOfADifference) {
  const auto made = make_ensemble(ensemble_of({stump(SplitTest::kLess, 1, 0, 8, 4)}));
  const auto shap = TreeShap::make(*made);
  ASSERT_TRUE(shap);
  EXPECT_DOUBLE_EQ(shap->base()[0], 0.5 + (3 * 8 + 1 * 4) / 4.0);
  std::vector<double> out(3);
  shap->explain(std::vector<float>{5, -1}, out);
  EXPECT_NEAR(out[0], 0, 1e-14);
  EXPECT_NEAR(out[1], 8 - 7, 1e-13);
  EXPECT_NEAR(out[2], 7.5, 1e-13);
}

/// x0 < 0 ? (x1 < 0 ? 1 : 2) : (x0 < 1 ? 3 : 4), with covers 8, (4: 1, 3), (4: 2, 2).
TreeSpec deep_tree() {
  TreeSpec tree;
  tree.values = {1, 2, 3, 4};
  tree.nodes.resize(7);
  tree.nodes[0] = {SplitTest::kLess, MissingRule::kNan, true, 0, 1, 2, 0, 0, 0, 8};
  tree.nodes[1] = {SplitTest::kLess, MissingRule::kNan, true, 1, 3, 4, 0, 0, 0, 4};
  tree.nodes[2] = {SplitTest::kLess, MissingRule::kNan, true, 0, 5, 6, 0, 0, 1, 4};
  const double covers[] = {1, 3, 2, 2};
  for (std::uint32_t i = 0; i < 4; ++i) {
    tree.nodes[3 + i].value = i;
    tree.nodes[3 + i].cover = covers[i];
  }
  return tree;
}

TEST(TreeShap, SplitsAPathByHand) {
  const auto made = make_ensemble(ensemble_of({deep_tree()}));
  const auto shap = TreeShap::make(*made);
  std::vector<double> out(3);
  shap->explain(std::vector<float>{-1, -1}, out);
  // Known none: (1/2)(1/4 + 2*3/4) + (1/2)(3/2 + 4/2) = 2.625.  Known x0: 1.75.  Known x1: (1/2)1 + 1.75 = 2.25.
  const double none = 2.625;
  EXPECT_NEAR(out[0], ((1.75 - none) + (1 - 2.25)) / 2, 1e-12);
  EXPECT_NEAR(out[1], ((2.25 - none) + (1 - 1.75)) / 2, 1e-12);
  EXPECT_NEAR(out[2], none + 0.5, 1e-12);
  // The same feature twice on the way: x0 alone decides.
  shap->explain(std::vector<float>{2, -1}, out);
  // Known x0: 4.  Known x1: (1/2)1 + (1/2)(3.5) = 2.25.
  EXPECT_NEAR(out[0], ((4 - none) + (4 - 2.25)) / 2, 1e-12);
  EXPECT_NEAR(out[1], ((2.25 - none) + (4 - 4)) / 2, 1e-12);
}

TEST(TreeShap, TakesUnknownFeaturesFromTheBackground) {
  const auto made = make_ensemble(ensemble_of({deep_tree()}));
  const auto shap = TreeShap::make(*made);
  std::vector<double> out(3);
  const std::vector<double> background = {0.5, 1};
  shap->explain_against(background, std::vector<double>{-1, -1}, out);
  // f(b) = 3; x0 from the row: 2; x1 from the row: 3; both: 1.
  EXPECT_NEAR(out[0], ((2 - 3) + (1 - 3)) / 2.0, 1e-12);
  EXPECT_NEAR(out[1], ((3 - 3) + (1 - 2)) / 2.0, 1e-12);
  EXPECT_NEAR(out[2], 3.5, 1e-12);
}

/// A chain of `depth` splits on as many features.
TreeSpec chain(std::uint32_t depth) {
  TreeSpec tree;
  tree.nodes.resize(2 * depth + 1);
  for (std::uint32_t i = 0; i < depth; ++i) {
    tree.nodes[2 * i] = {SplitTest::kLess,
                         MissingRule::kNan,
                         true,
                         i,
                         2 * i + 1,
                         2 * i + 2,
                         0,
                         0,
                         0,
                         std::ldexp(1.0, -static_cast<int>(i))};
    tree.nodes[2 * i + 1].cover = tree.nodes[2 * i].cover / 2;
    tree.nodes[2 * i + 1].value = i;
    tree.values.push_back(static_cast<double>(i % 7) - 3);
  }
  tree.nodes.back().cover = std::ldexp(1.0, -static_cast<int>(depth));
  tree.nodes.back().value = depth;
  tree.values.push_back(5);
  return tree;
}

TEST(TreeShap, AddsUpOnDeepPaths) {
  for (const std::uint32_t depth : {1U, 7U, 8U, 9U, 17U, 60U, 128U}) {
    const auto made = make_ensemble(ensemble_of({chain(depth)}, depth));
    const auto shap = TreeShap::make(*made);
    ASSERT_TRUE(shap) << depth;
    std::mt19937 random(depth);
    std::vector<float> row(depth);
    for (auto& x : row) x = random() % 4 == 0 ? -1.0F : 1.0F;
    std::vector<double> out(depth + 1);
    shap->explain(row, out);
    double sum = 0;
    for (const double phi : out) sum += phi;
    std::vector<double> margin(1);
    predict_margins(*made, row, margin);
    EXPECT_NEAR(sum, margin[0], 1e-9) << depth;
  }
}

TEST(TreeShap, SaysWhenItCannot) {
  auto tree = deep_tree();
  for (auto& node : tree.nodes) node.cover = 0;
  const auto blind = make_ensemble(ensemble_of({tree}));
  EXPECT_FALSE(blind->explainable());
  EXPECT_EQ(TreeShap::make(*blind).error().code, Code::kUnimplemented);
  const auto deep = make_ensemble(ensemble_of({chain(129)}, 129));
  EXPECT_EQ(TreeShap::make(*deep).error().code, Code::kUnimplemented);
}

}  // namespace
}  // namespace protean
