// SPDX-License-Identifier: Apache-2.0
// The steps of predict.cc that depend on the kind of node and row, and the entry to the walk with AVX2.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "trees/layout.h"

namespace protean {

/// Trees that one row walks side by side.
inline constexpr std::size_t kTreesAbreast = 8;

/// One step of one walk. `kNans`: the row may hold NaN.
template <bool kNans, typename Node, typename X>
inline const Node* step_from(const Node* node, const X* row) noexcept {
  const std::uint32_t feature = node->feature;
  const X x = row[feature & Node::kFeatureMask];
  auto right = static_cast<std::size_t>(x >= static_cast<X>(node->threshold));
  if constexpr (kNans) right |= static_cast<std::size_t>(static_cast<int>(x != x) & ((feature & Node::kNanRight) != 0));
  return node + node->step + right;
}

/// Walks `at[i]` from the roots they point to down to their leaves; `depth`: of the deepest of these trees.
template <bool kNans, typename Node, typename X>
inline void walk_abreast(std::array<const Node*, kTreesAbreast>& at, std::uint32_t depth, const X* row) noexcept {
  for (; depth > 0; --depth) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kTreesAbreast; ++i) at[i] = step_from<kNans>(at[i], row);
    // Deep trees are seldom deep everywhere.
    if ((depth & 3U) != 0 || depth < 8) continue;
    bool moving = false;
    for (const auto* node : at) moving = moving || node->step != 0;
    if (!moving) return;
  }
}

/// Whether the processor has AVX2.
[[nodiscard]] bool have_avx2() noexcept;

/// Adds the trees of `layout` to eight rows' sums in their order, walking eight rows at a time.
/// Requires have_avx2(), narrow nodes, no special or linear trees, scalar leaves.
/// `rows`: [8 * groups, features], groups 1 to 4; `sums`: [outputs][8 * groups], float or double as the layout says.
void add_trees_avx2(const TreeEnsemble::Layout& layout, const float* rows, std::size_t groups, float* sums) noexcept;
void add_trees_avx2(const TreeEnsemble::Layout& layout, const float* rows, std::size_t groups, double* sums) noexcept;

}  // namespace protean
