// SPDX-License-Identifier: Apache-2.0
// Small trees for the tests of this folder, written as one writes them on paper.
#pragma once

#include <cstdint>
#include <vector>

#include "trees/ensemble.h"

namespace protean::test {

/// A tree of one split, `feature` `test` `threshold`, whose leaves are worth `left` and `right` and cover 3 and 1.
inline TreeSpec stump(SplitTest test, std::uint32_t feature, double threshold, double left, double right) {
  TreeSpec tree;
  tree.values = {left, right};
  tree.nodes.resize(3);
  tree.nodes[0] = {test, MissingRule::kNan, true, feature, 1, 2, 0, 0, threshold, 4};
  tree.nodes[1].id = 1;
  tree.nodes[1].cover = 3;
  tree.nodes[2].id = 2;
  tree.nodes[2].value = 1;
  tree.nodes[2].cover = 1;
  return tree;
}

/// One output, float rows of `features`, base 0.5.
inline EnsembleSpec ensemble_of(std::vector<TreeSpec> trees, std::uint32_t features = 2) {
  EnsembleSpec spec;
  spec.features = features;
  spec.base = {0.5};
  spec.trees = std::move(trees);
  return spec;
}

}  // namespace protean::test
