// SPDX-License-Identifier: Apache-2.0
#include "trees/ensemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "trees/tree_test_support.h"

namespace protean {
namespace {

using test::ensemble_of;
using test::stump;
using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string refusal(EnsembleSpec spec, const EnsembleLimits& limits = {}) {
  const auto made = make_ensemble(std::move(spec), limits);
  return made ? "" : made.error().message;
}

TreeSpec good() { return stump(SplitTest::kLess, 1, 0.5, 1, 2); }

TEST(Ensemble, TellsWhatItHolds) {
  const auto made = make_ensemble(ensemble_of({good(), good()}));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->features(), 2U);
  EXPECT_EQ(made->outputs(), 1U);
  EXPECT_EQ(made->trees(), 2U);
  EXPECT_TRUE(made->explainable());
  EXPECT_GT(made->memory_bytes(), 6U * 8);
}

TEST(Ensemble, RefusesChildrenThatAreNotThere) {
  auto tree = good();
  tree.nodes[0].right = 3;
  EXPECT_THAT(refusal(ensemble_of({good(), tree})),
              HasSubstr("tree 1: node 0: children 1 and 3, but there are 3 nodes"));
}

TEST(Ensemble, RefusesCycles) {
  auto tree = good();
  tree.nodes[1] = tree.nodes[0];  // a node that is its own child
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("two parents"));
  tree = good();
  tree.nodes[0].right = 0;
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("node 0 has two parents"));
}

TEST(Ensemble, RefusesWhatIsOutOfRange) {
  auto tree = good();
  tree.nodes[0].feature = 2;
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("feature 2, but there are 2"));
  tree = good();
  tree.nodes[1].value = 2;
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("leaf value 2, but there are 2"));
  tree = good();
  tree.output = 1;
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("output 1 of 1"));
  tree = good();
  tree.nodes[0].test = SplitTest::kInSet;
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("category set 0, but there are 0"));
  tree.sets = {{1U << 24}};
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("category 16777216"));
  tree = good();
  tree.nodes[0].threshold = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("threshold is NaN"));
  tree = good();
  tree.leaf_size = 2;
  EXPECT_THAT(refusal(ensemble_of({tree})), HasSubstr("leaves of 2 numbers, expected 1 or 1"));
  EXPECT_THAT(refusal(ensemble_of({TreeSpec{}})), HasSubstr("no nodes"));
  auto spec = ensemble_of({good()});
  spec.base.clear();
  EXPECT_THAT(refusal(spec), HasSubstr("0 base scores, expected 1"));
  spec = ensemble_of({good()});
  spec.divisor = 0;
  EXPECT_THAT(refusal(spec), HasSubstr("divisor 0"));
}

TEST(Ensemble, RefusesWhatIsBeyondItsLimits) {
  EnsembleLimits limits;
  limits.trees_max = 1;
  EXPECT_THAT(refusal(ensemble_of({good(), good()}), limits), HasSubstr("2 trees, expected at most 1"));
  limits = {};
  limits.nodes_max = 2;
  EXPECT_THAT(refusal(ensemble_of({good()}), limits), HasSubstr("3 nodes, expected at most 2"));
  limits = {};
  limits.depth_max = 0;
  EXPECT_THAT(refusal(ensemble_of({good()}), limits), HasSubstr("deeper than 0"));
}

TEST(Ensemble, LeavesOutNodesThatNobodyReaches) {
  auto tree = good();
  tree.nodes.resize(5);  // two leaves that pruning left behind
  EXPECT_EQ(refusal(ensemble_of({tree})), "");
}

TEST(Ensemble, TakesInfiniteThresholds) {
  EXPECT_EQ(refusal(ensemble_of({stump(SplitTest::kLessEqual, 0, kInfinity, 1, 2)})), "");
  EXPECT_EQ(refusal(ensemble_of({stump(SplitTest::kLess, 0, -kInfinity, 1, 2)})), "");
}

}  // namespace
}  // namespace protean
