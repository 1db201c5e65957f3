// SPDX-License-Identifier: Apache-2.0
#include "trees/predict.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "trees/tree_test_support.h"

namespace protean {
namespace {

using test::ensemble_of;
using test::stump;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Where one value of feature 0 ends in a single tree: 1 for left, 2 for right.
std::uint32_t way(const TreeSpec& tree, double x, RowType rows = RowType::kFloat32) {
  auto spec = ensemble_of({tree}, 1);
  spec.rows = rows;
  const auto made = make_ensemble(std::move(spec));
  std::uint32_t leaf = 0;
  find_leaves(*made, std::span<const double>(&x, 1), {&leaf, 1});
  return leaf;
}

double margin(EnsembleSpec spec, std::vector<float> row) {
  const auto made = make_ensemble(std::move(spec));
  double out = 0;
  predict_margins(*made, row, {&out, 1});
  return out;
}

TEST(Predict, ComparesAsTheTestSays) {
  const auto less = stump(SplitTest::kLess, 0, 1.5, 1, 2);
  EXPECT_EQ(way(less, 1.25), 1U);
  EXPECT_EQ(way(less, 1.5), 2U);
  const auto equal = stump(SplitTest::kLessEqual, 0, 1.5, 1, 2);
  EXPECT_EQ(way(equal, 1.5), 1U);
  EXPECT_EQ(way(equal, std::nextafter(1.5F, 2.0F)), 2U);
  EXPECT_EQ(way(equal, std::nextafter(1.5, 2.0), RowType::kFloat64), 2U);
}

TEST(Predict, ComparesFloatsWithDoubleThresholdsExactly) {
  const double third = 1.0 / 3;  // the nearest float is larger
  const auto above = static_cast<double>(static_cast<float>(third));
  ASSERT_GT(above, third);
  EXPECT_EQ(way(stump(SplitTest::kLessEqual, 0, third, 1, 2), above), 2U);
  EXPECT_EQ(way(stump(SplitTest::kLess, 0, above, 1, 2), above), 2U);
  EXPECT_EQ(way(stump(SplitTest::kLessEqual, 0, above, 1, 2), above), 1U);
}

TEST(Predict, KnowsInfinity) {
  EXPECT_EQ(way(stump(SplitTest::kLessEqual, 0, static_cast<double>(kInfinity), 1, 2), static_cast<double>(kInfinity)),
            1U);
  EXPECT_EQ(way(stump(SplitTest::kLess, 0, static_cast<double>(kInfinity), 1, 2), static_cast<double>(kInfinity)), 2U);
  EXPECT_EQ(way(stump(SplitTest::kLess, 0, 1e300, 1, 2), 3e38), 1U);
}

TEST(Predict, SendsMissingValuesTheirWay) {
  auto tree = stump(SplitTest::kLess, 0, -1, 1, 2);
  EXPECT_EQ(way(tree, static_cast<double>(kNan)), 1U);
  tree.nodes[0].default_left = false;
  EXPECT_EQ(way(tree, static_cast<double>(kNan)), 2U);
  EXPECT_EQ(way(tree, 0.0), 2U);
  tree.nodes[0].missing = MissingRule::kZeroOrNan;
  tree.nodes[0].default_left = true;
  EXPECT_EQ(way(tree, 0.0), 1U);
  EXPECT_EQ(way(tree, static_cast<double>(kNan)), 1U);
  EXPECT_EQ(way(tree, 0.1), 2U);
  tree.nodes[0].missing = MissingRule::kNanIsZero;
  EXPECT_EQ(way(tree, static_cast<double>(kNan)), 2U);
}

TEST(Predict, LooksCategoriesUp) {
  auto in = stump(SplitTest::kInSet, 0, 0, 1, 2);
  in.sets = {{0, 33}};
  auto not_in = in;
  not_in.nodes[0].test = SplitTest::kNotInSet;
  for (const double member : {0.0, 33.0, 33.9}) {
    EXPECT_EQ(way(in, member), 1U) << member;
    EXPECT_EQ(way(not_in, member), 2U) << member;
  }
  for (const double stranger : {1.0, 32.0, 64.0, 1e9, 1e30, -1.0}) {
    EXPECT_EQ(way(in, stranger), 2U) << stranger;
    EXPECT_EQ(way(not_in, stranger), 1U) << stranger;
  }
  EXPECT_EQ(way(in, -0.5), 1U);
  EXPECT_EQ(way(not_in, -0.5), 1U);
}

TEST(Predict, AddsInTheOrderOfTheTrees) {
  // 2^24 + 1 is no float: added first to last the ones are lost one by one.
  EnsembleSpec spec = ensemble_of({stump(SplitTest::kLess, 0, 0, 16777216, 0), stump(SplitTest::kLess, 0, 0, 1, 0),
                                   stump(SplitTest::kLess, 0, 0, 1, 0)});
  spec.base = {0};
  spec.sums = SumType::kFloat32;
  EXPECT_EQ(margin(spec, {-1, 0}), 16777216.0);
  spec.sums = SumType::kFloat64;
  EXPECT_EQ(margin(spec, {-1, 0}), 16777218.0);
}

TEST(Predict, DividesBeforeALateBase) {
  auto spec = ensemble_of({stump(SplitTest::kLess, 0, 0, 3, 0), stump(SplitTest::kLess, 1, 0, 5, 0)});
  spec.trees[1].weight = 0.5;
  spec.divisor = 2;
  EXPECT_EQ(margin(spec, {-1, -1}), (0.5 + 3 + 2.5) / 2);
  spec.base_last = true;
  EXPECT_EQ(margin(spec, {-1, -1}), (3 + 2.5) / 2 + 0.5);
}

TEST(Predict, AddsVectorsAndScalarsToTheirOutputs) {
  auto vector = stump(SplitTest::kLess, 0, 0, 1, 2);
  vector.leaf_size = 2;
  vector.values = {1, 2, 3, 4};
  auto scalar = stump(SplitTest::kLess, 0, 0, 10, 20);
  scalar.output = 1;
  auto spec = ensemble_of({scalar, vector});
  spec.outputs = 2;
  spec.base = {0, 100};
  const auto made = make_ensemble(std::move(spec));
  std::vector<double> out(4);
  predict_margins(*made, std::vector<float>{-1, 0, 1, 0}, out);
  EXPECT_EQ(out, (std::vector<double>{1, 112, 3, 124}));
}

TEST(Predict, EvaluatesLinearLeavesUnlessAFeatureIsMissing) {
  auto tree = stump(SplitTest::kLess, 0, 0, 7, 8);
  tree.linear = {{1, {1}, {2.0}}, {0, {}, {}}};
  auto spec = ensemble_of({tree});
  spec.base = {0};
  EXPECT_EQ(margin(spec, {-1, 3}), 7.0);  // 1 + 2 * 3
  EXPECT_EQ(margin(spec, {-1, 4}), 9.0);
  EXPECT_EQ(margin(spec, {-1, kNan}), 7.0);
  EXPECT_EQ(margin(spec, {1, 4}), 0.0);
}

/// A tree that is as deep as it has splits, on random features.
TreeSpec random_tree(std::mt19937& random, std::uint32_t features, std::size_t splits) {
  TreeSpec tree;
  tree.nodes.resize(1);
  for (std::size_t i = 0; i < splits; ++i) {
    const auto leaf = static_cast<std::uint32_t>(random() % tree.nodes.size());
    if (tree.nodes[leaf].test != SplitTest::kLeaf) continue;
    const auto next = static_cast<std::uint32_t>(tree.nodes.size());
    tree.nodes.resize(next + 2);
    tree.nodes[leaf] = {random() % 2 == 0 ? SplitTest::kLess : SplitTest::kLessEqual,
                        MissingRule::kNan,
                        random() % 2 == 0,
                        static_cast<std::uint32_t>(random() % features),
                        next,
                        next + 1,
                        0,
                        0,
                        static_cast<double>(random() % 5) - 2,
                        0};
  }
  for (std::uint32_t i = 0; i < tree.nodes.size(); ++i) {
    tree.values.push_back(std::ldexp(static_cast<double>(random() % 1000), -7));
    if (tree.nodes[i].test == SplitTest::kLeaf) tree.nodes[i].value = tree.nodes[i].id = i;
  }
  return tree;
}

TEST(Predict, GivesARowTheSameBitsAloneAndInAnyCompany) {
  std::mt19937 random(7);
  for (const auto sums : {SumType::kFloat32, SumType::kFloat64}) {
    for (const std::uint32_t outputs : {1U, 3U, 11U}) {
      auto spec = ensemble_of({}, 5);
      spec.sums = sums;
      spec.outputs = outputs;
      spec.base.assign(outputs, 0.1);
      for (std::uint32_t t = 0; t < 29; ++t) {
        spec.trees.push_back(random_tree(random, 5, 1 + random() % 60));
        spec.trees.back().output = t % outputs;
      }
      const auto made = make_ensemble(spec);
      ASSERT_TRUE(made);
      constexpr std::size_t kRows = 77;
      std::vector<float> rows(kRows * 5);
      for (auto& x : rows) x = random() % 8 == 0 ? kNan : static_cast<float>(random() % 5) - 2;
      std::vector<double> together(kRows * outputs);
      predict_margins(*made, rows, together);
      for (std::size_t i = 0; i < kRows; ++i) {
        std::vector<double> alone(outputs);
        predict_margins(*made, std::span<const float>(rows).subspan(i * 5, 5), alone);
        for (std::size_t k = 0; k < outputs; ++k) ASSERT_EQ(alone[k], together[i * outputs + k]) << i;
      }
    }
  }
}

TEST(Predict, AnswersNoRowsAndNoTrees) {
  const auto made = make_ensemble(ensemble_of({}));
  predict_margins(*made, std::span<const float>(), {});
  std::vector<double> out(1);
  predict_margins(*made, std::vector<float>{1, 2}, out);
  EXPECT_EQ(out[0], 0.5);
}

}  // namespace
}  // namespace protean
