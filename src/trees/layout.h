// SPDX-License-Identifier: Apache-2.0
// How trees lie in memory, for the files of this folder. All tests are brought into one form, so that a step is one
// comparison and one addition: right when x >= threshold, or when x is NaN and the node says so. A leaf steps to itself
// (its threshold is NaN), so that trees of different depth can be walked side by side without asking who has arrived.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "trees/ensemble.h"

namespace protean {

/// Eight bytes: float rows, fewer than 2^15 features, trees of fewer than 2^16 nodes. The left child is `step` nodes
/// further on, the right one `step` + 1.
struct NarrowNode {
  static constexpr std::uint32_t kFeatureMask = 0x7FFF;
  static constexpr std::uint32_t kNanRight = 0x8000;
  float threshold;
  std::uint16_t feature;
  std::uint16_t step;
};

struct WideNode {
  static constexpr std::uint32_t kFeatureMask = 0x7FFFFFFF;
  static constexpr std::uint32_t kNanRight = 0x80000000;
  double threshold;
  std::uint32_t feature;
  std::uint32_t step;
};

/// What a step cannot say: the node of a tree with category sets or zeros that count as missing.
struct SpecialNode {
  SplitTest test = SplitTest::kLess;
  bool zero_is_missing = false;
  std::uint32_t set = 0;
};

/// A set of category numbers as bits: `words` of 32, from `begin` in Layout::set_bits.
struct CategorySet {
  std::uint64_t begin = 0;
  std::uint64_t words = 0;
};

/// `root`: index of its first node; children follow their parents, pairs side by side.
/// `special`: index of its first SpecialNode, or kNone.  `linear`: of its first LinearLeaf, or kNone.
struct TreeLayout {
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t root = 0;
  std::uint64_t special = kNone;
  std::uint64_t linear = kNone;
  std::uint32_t nodes = 0;
  std::uint32_t depth = 0;
  std::uint32_t output = 0;
  bool vector_leaf = false;
  double weight = 1;
};

/// `narrow` or `wide` holds all nodes, the other is empty. By node: `ids`, `covers`; `floats` or `doubles`, by SumType:
/// the leaf's value times the tree's weight (of leaf_size 1), or the place of its vector in `vectors` through `slots`.
struct TreeEnsemble::Layout {
  std::uint32_t features = 0;
  std::uint32_t outputs = 1;
  RowType rows = RowType::kFloat32;
  SumType sums = SumType::kFloat64;
  std::vector<double> base;
  bool base_last = false;
  double divisor = 1;
  bool explainable = false;
  bool any_special = false;
  bool any_linear = false;
  bool any_vector = false;
  std::vector<TreeLayout> trees;
  std::vector<NarrowNode> narrow;
  std::vector<WideNode> wide;
  std::vector<SpecialNode> specials;
  std::vector<CategorySet> sets;
  std::vector<std::uint32_t> set_bits;
  std::vector<LinearLeaf> linear;
  std::vector<std::uint32_t> ids;
  std::vector<double> covers;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::uint32_t> slots;
  std::vector<double> vectors;

  /// Whether a row with the value `x` in the node's feature goes right.  `node`: counted from the tree's root.
  [[nodiscard]] bool goes_right(const TreeLayout& tree, std::uint32_t node, double x) const noexcept;
  [[nodiscard]] bool is_leaf(std::uint64_t node) const noexcept {
    return narrow.empty() ? wide[node].step == 0 : narrow[node].step == 0;
  }
  [[nodiscard]] std::uint32_t step(std::uint64_t node) const noexcept {
    return narrow.empty() ? wide[node].step : narrow[node].step;
  }
  [[nodiscard]] std::uint32_t feature(std::uint64_t node) const noexcept {
    return narrow.empty() ? wide[node].feature & WideNode::kFeatureMask
                          : narrow[node].feature & NarrowNode::kFeatureMask;
  }
  /// What the leaf at the node adds to the output (0 for other outputs than a scalar tree's own).
  [[nodiscard]] double leaf_value(const TreeLayout& tree, std::uint64_t node, std::uint32_t output) const noexcept {
    if (tree.vector_leaf) return vectors[std::uint64_t{slots[node]} * outputs + output];
    if (output != tree.output) return 0;
    return sums == SumType::kFloat32 ? static_cast<double>(floats[node]) : doubles[node];
  }
};

}  // namespace protean
