// SPDX-License-Identifier: Apache-2.0
// Row by row, except where eight rows at a time pay. Sums are added tree by tree in the order of the ensemble, which is
// what makes them equal to the libraries' to the last bit.
#include "trees/predict.h"

#include <vector>

#include "base/check.h"
#include "trees/walk.h"

namespace protean {
namespace {

using Layout = TreeEnsemble::Layout;

constexpr std::size_t kLanes = 8;
constexpr std::size_t kGroupsMax = 4;

template <typename Node>
const std::vector<Node>& nodes_of(const Layout& layout) noexcept {
  if constexpr (std::is_same_v<Node, NarrowNode>) {
    return layout.narrow;
  } else {
    return layout.wide;
  }
}

template <typename Sum>
const Sum* scalars_of(const Layout& layout) noexcept {
  if constexpr (std::is_same_v<Sum, float>) {
    return layout.floats.data();
  } else {
    return layout.doubles.data();
  }
}

template <typename X>
bool has_nan(const X* row, std::size_t count) noexcept {
  int found = 0;
  for (std::size_t i = 0; i < count; ++i) found |= static_cast<int>(row[i] != row[i]);
  return found != 0;
}

/// The walk of a tree with special nodes, alone.
template <typename X>
std::uint64_t walk_special(const Layout& layout, const TreeLayout& tree, const X* row) noexcept {
  std::uint32_t node = 0;
  while (!layout.is_leaf(tree.root + node)) {
    const auto x = static_cast<double>(row[layout.feature(tree.root + node)]);
    node += layout.step(tree.root + node) + static_cast<std::uint32_t>(layout.goes_right(tree, node, x));
  }
  return tree.root + node;
}

/// Calls take(tree, leaf) for each tree in order; `leaf`: the node's index in the layout.
template <bool kNans, typename Node, typename X, typename Take>
void walk_row(const Layout& layout, const X* row, Take&& take) {
  const Node* nodes = nodes_of<Node>(layout).data();
  const TreeLayout* trees = layout.trees.data();
  const std::size_t count = layout.trees.size();
  std::array<const Node*, kTreesAbreast> at;
  for (std::size_t first = 0; first < count; first += kTreesAbreast) {
    const std::size_t abreast = std::min(kTreesAbreast, count - first);
    std::uint32_t depth = 0;
    for (std::size_t i = 0; i < kTreesAbreast; ++i) {
      const auto& tree = trees[first + std::min(i, abreast - 1)];
      at[i] = nodes + tree.root;
      if (!layout.any_special || tree.special == TreeLayout::kNone) depth = std::max(depth, tree.depth);
    }
    walk_abreast<kNans>(at, depth, row);
    for (std::size_t i = 0; i < abreast; ++i) {
      const auto& tree = trees[first + i];
      const bool special = layout.any_special && tree.special != TreeLayout::kNone;
      take(tree, special ? walk_special(layout, tree, row) : static_cast<std::uint64_t>(at[i] - nodes));
    }
  }
}

/// walk_row() for what the row and the ensemble are like.
template <typename X, typename Take>
void walk(const Layout& layout, const X* row, Take&& take) {
  const bool nans = has_nan(row, layout.features);
  if constexpr (std::is_same_v<X, float>) {
    if (!layout.narrow.empty()) {
      return nans ? walk_row<true, NarrowNode>(layout, row, take) : walk_row<false, NarrowNode>(layout, row, take);
    }
  }
  nans ? walk_row<true, WideNode>(layout, row, take) : walk_row<false, WideNode>(layout, row, take);
}

template <typename X>
double linear_value(const Layout& layout, const TreeLayout& tree, std::uint64_t leaf, const X* row) noexcept {
  const auto& linear = layout.linear[tree.linear + layout.slots[leaf]];
  double sum = linear.constant;
  for (std::size_t i = 0; i < linear.features.size(); ++i) {
    const auto x = static_cast<double>(row[linear.features[i]]);
    if (std::isnan(x)) return layout.doubles[leaf];
    sum += linear.coefficients[i] * x;
  }
  return sum * tree.weight;
}

/// A vector of sums in the type that they are added in.
template <typename Sum>
void begin_sums(const Layout& layout, Sum* sums) noexcept {
  for (std::size_t k = 0; k < layout.outputs; ++k) {
    sums[k] = layout.base_last ? Sum{0} : static_cast<Sum>(layout.base[k]);
  }
}

template <typename Sum>
double end_sum(const Layout& layout, Sum sum, std::size_t output) noexcept {
  if (layout.divisor != 1) sum /= static_cast<Sum>(layout.divisor);
  if (layout.base_last) sum += static_cast<Sum>(layout.base[output]);
  return static_cast<double>(sum);
}

template <typename Sum, typename X>
void add_row(const Layout& layout, const X* row, Sum* sums) {
  const Sum* scalars = scalars_of<Sum>(layout);
  if (layout.outputs == 1 && !layout.any_linear) {
    Sum sum = sums[0];
    walk(layout, row, [&](const TreeLayout&, std::uint64_t leaf) { sum += scalars[leaf]; });
    sums[0] = sum;
    return;
  }
  walk(layout, row, [&](const TreeLayout& tree, std::uint64_t leaf) {
    if (tree.vector_leaf) {
      const double* vector = layout.vectors.data() + std::uint64_t{layout.slots[leaf]} * layout.outputs;
      for (std::size_t k = 0; k < layout.outputs; ++k) sums[k] += static_cast<Sum>(vector[k]);
    } else if (tree.linear != TreeLayout::kNone) {
      sums[tree.output] += static_cast<Sum>(linear_value(layout, tree, leaf, row));
    } else {
      sums[tree.output] += scalars[leaf];
    }
  });
}

template <typename Sum, typename X>
void predict_rows(const Layout& layout, const X* rows, std::size_t count, double* out) {
  std::vector<Sum> many(layout.outputs > 8 ? layout.outputs : 0);
  std::array<Sum, 8> few;
  Sum* sums = many.empty() ? few.data() : many.data();
  for (std::size_t i = 0; i < count; ++i) {
    begin_sums(layout, sums);
    add_row(layout, rows + i * layout.features, sums);
    for (std::size_t k = 0; k < layout.outputs; ++k) out[i * layout.outputs + k] = end_sum(layout, sums[k], k);
  }
}

/// How many rows from the first one on were done eight at a time.
template <typename Sum>
std::size_t predict_groups(const Layout& layout, const float* rows, std::size_t count, double* out) {
  constexpr std::size_t kOffsetsMax = std::size_t{1} << 26;  // 32 bits address 8 rows and a tree of 2^16 nodes
  const bool fits = layout.features < kOffsetsMax && !layout.narrow.empty() && !layout.any_special &&
                    !layout.any_linear && !layout.any_vector;
  if (count < kLanes || !fits || !have_avx2()) return 0;
  std::vector<Sum> sums(layout.outputs * kLanes * kGroupsMax);
  std::size_t done = 0;
  while (count - done >= kLanes) {
    const std::size_t groups = std::min(kGroupsMax, (count - done) / kLanes);
    const std::size_t abreast = groups * kLanes;
    for (std::size_t k = 0; k < layout.outputs; ++k) {
      const Sum base = layout.base_last ? Sum{0} : static_cast<Sum>(layout.base[k]);
      std::fill_n(sums.begin() + static_cast<std::ptrdiff_t>(k * abreast), abreast, base);
    }
    add_trees_avx2(layout, rows + done * layout.features, groups, sums.data());
    for (std::size_t k = 0; k < layout.outputs; ++k) {
      for (std::size_t i = 0; i < abreast; ++i) {
        out[(done + i) * layout.outputs + k] = end_sum(layout, sums[k * abreast + i], k);
      }
    }
    done += abreast;
  }
  return done;
}

template <typename X>
void predict(const TreeEnsemble& ensemble, std::span<const X> rows, std::span<double> out) {
  const auto& layout = ensemble.layout();
  const std::size_t count = out.size() / layout.outputs;
  PROTEAN_CHECK(rows.size() == count * layout.features && out.size() == count * layout.outputs);
  const bool single = layout.sums == SumType::kFloat32;
  std::size_t done = 0;
  if constexpr (std::is_same_v<X, float>) {
    done = single ? predict_groups<float>(layout, rows.data(), count, out.data())
                  : predict_groups<double>(layout, rows.data(), count, out.data());
  }
  const X* rest = rows.data() + done * layout.features;
  double* rest_out = out.data() + done * layout.outputs;
  single ? predict_rows<float>(layout, rest, count - done, rest_out)
         : predict_rows<double>(layout, rest, count - done, rest_out);
}

template <typename X>
void find(const TreeEnsemble& ensemble, std::span<const X> rows, std::span<std::uint32_t> out) {
  const auto& layout = ensemble.layout();
  if (layout.trees.empty()) return;
  const std::size_t count = out.size() / layout.trees.size();
  PROTEAN_CHECK(rows.size() == count * layout.features && out.size() == count * layout.trees.size());
  std::uint32_t* next = out.data();
  for (std::size_t i = 0; i < count; ++i) {
    walk(layout, rows.data() + i * layout.features,
         [&](const TreeLayout&, std::uint64_t leaf) { *next++ = layout.ids[leaf]; });
  }
}

std::vector<float> rounded(std::span<const double> rows) {
  std::vector<float> floats(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) floats[i] = static_cast<float>(rows[i]);
  return floats;
}

}  // namespace

void predict_margins(const TreeEnsemble& ensemble, std::span<const float> rows, std::span<double> out) {
  if (ensemble.rows() == RowType::kFloat32) return predict(ensemble, rows, out);
  predict(ensemble, std::span<const double>(std::vector<double>(rows.begin(), rows.end())), out);
}

void predict_margins(const TreeEnsemble& ensemble, std::span<const double> rows, std::span<double> out) {
  if (ensemble.rows() == RowType::kFloat64) return predict(ensemble, rows, out);
  predict(ensemble, std::span<const float>(rounded(rows)), out);
}

void find_leaves(const TreeEnsemble& ensemble, std::span<const float> rows, std::span<std::uint32_t> out) {
  if (ensemble.rows() == RowType::kFloat32) return find(ensemble, rows, out);
  find(ensemble, std::span<const double>(std::vector<double>(rows.begin(), rows.end())), out);
}

void find_leaves(const TreeEnsemble& ensemble, std::span<const double> rows, std::span<std::uint32_t> out) {
  if (ensemble.rows() == RowType::kFloat64) return find(ensemble, rows, out);
  find(ensemble, std::span<const float>(rounded(rows)), out);
}

}  // namespace protean
