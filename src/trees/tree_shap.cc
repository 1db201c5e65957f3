// SPDX-License-Identifier: Apache-2.0
// The two sweeps. Quadrature points lie side by side in quads (four doubles), which the processor takes at once; the
// number of quads a tree needs is known when it is laid out, so that small trees have straight loops.
#include "trees/tree_shap.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "trees/layout.h"
#include "trees/quadrature.h"
#include "trees/walk.h"

namespace protean {
namespace {

constexpr std::uint32_t kDepthMax = 128;
constexpr std::uint32_t kQuadPoints = 4;
constexpr std::uint32_t kQuadsMax = kDepthMax / 2 / kQuadPoints;
/// Shares below this are as good as none, and dividing by them stays finite.
constexpr double kShareMin = 1e-30;

/// GCC's and clang's vectors: arithmetic on four doubles in one register or two. Room: aligned memory for one; a
/// std::vector of Quads themselves would forget their alignment.
typedef double Quad __attribute__((vector_size(32), may_alias));
struct alignas(32) Room {
  double numbers[4];
};

struct Points {
  alignas(32) std::array<double, kDepthMax> t;
  alignas(32) std::array<double, kDepthMax> rest;     // 1 - t
  alignas(32) std::array<double, kDepthMax> inverse;  // 1 / (1 - t)
  alignas(32) std::array<double, kDepthMax> weight;
};

const Quad* quads_of(const std::array<double, kDepthMax>& numbers) noexcept {
  return reinterpret_cast<const Quad*>(numbers.data());
}

/// The rule with 4 * (i + 1) points at index i.
const std::array<Points, kQuadsMax>& all_points() {
  static const auto points = [] {
    std::array<Points, kQuadsMax> rules{};
    for (std::uint32_t quads = 1; quads <= kQuadsMax; ++quads) {
      const auto rule = gauss_legendre(std::size_t{quads} * kQuadPoints);
      for (std::uint32_t i = 0; i < quads * kQuadPoints; ++i) {
        auto& out = rules[quads - 1];
        out.t[i] = rule.points[i];
        out.rest[i] = 1 - rule.points[i];
        out.inverse[i] = 1 / (1 - rule.points[i]);
        out.weight[i] = rule.weights[i];
      }
    }
    return rules;
  }();
  return points;
}

}  // namespace

/// By node of one tree: whether the row passes all splits on the edge's feature down to here (`open`), the product of
/// the factors down to here (then, going up, the sum of the leaves below), and the inverse of the edge's own factor.
struct TreeShap::Scratch {
  Scratch(std::uint32_t nodes, std::uint32_t quads, std::uint32_t features)
      : row(features),
        open(nodes),
        products(std::size_t{nodes} * quads),
        inverses(products.size()),
        sums(products.size()) {}
  std::vector<double> row;
  std::vector<std::uint8_t> open;
  std::vector<Room> products;
  std::vector<Room> inverses;
  std::vector<Room> sums;
};

Status TreeShap::check(const TreeEnsemble& ensemble) {
  if (!ensemble.explainable()) {
    return fail(Code::kUnimplemented,
                "no exact contributions: the trees do not tell what their nodes cover, or have linear leaves");
  }
  for (const auto& tree : ensemble.layout().trees) {
    if (tree.depth > kDepthMax) return fail(Code::kUnimplemented, "no exact contributions: a tree is deeper than 128");
  }
  return {};
}

Result<TreeShap> TreeShap::make(const TreeEnsemble& ensemble) {
  TRY_STATUS(check(ensemble));
  const auto& layout = ensemble.layout();
  TreeShap shap(ensemble);
  shap.base_.assign(layout.outputs, 0);
  shap.edges_.reserve(layout.ids.size());
  for (std::size_t i = 0; i < layout.trees.size(); ++i) shap.add_tree(i);
  for (std::size_t k = 0; k < shap.base_.size(); ++k) {
    if (!layout.base_last) shap.base_[k] += layout.base[k];
    shap.base_[k] /= layout.divisor;
    if (layout.base_last) shap.base_[k] += layout.base[k];
  }
  return shap;
}

/// Returns how many distinct features the richest path has.
std::uint32_t TreeShap::add_edges(std::size_t number) {
  const auto& layout = ensemble_->layout();
  const auto& tree = layout.trees[number];
  const auto first = edges_.size();
  edges_.push_back({1, 1, 0, 0, 0, 0});
  std::vector<std::uint32_t> distinct(tree.nodes, 0);
  edges_.resize(first + tree.nodes);
  std::uint32_t richest = 1;
  for (std::uint32_t node = 0; node < tree.nodes; ++node) {
    richest = std::max(richest, distinct[node]);
    const auto step = layout.step(tree.root + node);
    if (step == 0) continue;
    const auto feature = layout.feature(tree.root + node);
    std::uint32_t same = node;
    while (same != 0 && edges_[first + same].feature != feature) same = edges_[first + same].parent;
    const double cover = layout.covers[tree.root + node];
    for (std::uint32_t right = 0; right < 2; ++right) {
      const auto child = node + step + right;
      double share = cover > 0 ? layout.covers[tree.root + child] / cover : 0.5;
      if (same != 0) share *= edges_[first + same].share;
      share = std::max(share, kShareMin);
      edges_[first + child] = {share, 1 / share, feature, node, same, right};
      distinct[child] = distinct[node] + (same == 0 ? 1 : 0);
    }
  }
  return richest;
}

void TreeShap::add_tree(std::size_t number) {
  const auto& layout = ensemble_->layout();
  const auto& tree = layout.trees[number];
  const auto first = edges_.size();
  const auto richest = add_edges(number);
  const std::uint32_t points = (richest + 1) / 2;
  trees_.push_back({first, tree.nodes, (points + kQuadPoints - 1) / kQuadPoints});
  nodes_max_ = std::max(nodes_max_, tree.nodes);
  quads_max_ = std::max(quads_max_, trees_.back().quads);
  // The expected value: each leaf times the shares on the way to it.
  std::vector<double> reach(tree.nodes, 1);
  for (std::uint32_t node = 0; node < tree.nodes; ++node) {
    const auto& edge = edges_[first + node];
    if (node != 0)
      reach[node] = reach[edge.parent] * edge.share / (edge.same != 0 ? edges_[first + edge.same].share : 1);
    if (!layout.is_leaf(tree.root + node)) continue;
    for (std::uint32_t k = 0; k < layout.outputs; ++k) {
      base_[k] += reach[node] * layout.leaf_value(tree, tree.root + node, k);
    }
  }
}

/// `open`, factors and products of each node, from the root down.
template <std::uint32_t kQuads>
[[gnu::always_inline]] inline void TreeShap::sweep_down(std::size_t number, Scratch& scratch) const {
  const auto& layout = ensemble_->layout();
  const auto& tree = layout.trees[number];
  const auto& shape = trees_[number];
  const Edge* edges = edges_.data() + shape.first;
  const std::uint32_t quads = kQuads != 0 ? kQuads : shape.quads;
  const auto& points = all_points()[quads - 1];
  auto* products = reinterpret_cast<Quad*>(scratch.products.data());
  auto* inverses = reinterpret_cast<Quad*>(scratch.inverses.data());
  const Quad* t = quads_of(points.t);
  const Quad* rest = quads_of(points.rest);
  const Quad* rest_inverse = quads_of(points.inverse);
  for (std::uint32_t q = 0; q < quads; ++q) products[q] = quads_of(points.weight)[q];
  for (std::uint32_t node = 0; node < shape.nodes; ++node) {
    const auto step = layout.step(tree.root + node);
    if (step == 0) continue;
    const double x = scratch.row[layout.feature(tree.root + node)];
    const auto right = static_cast<std::uint32_t>(layout.goes_right(tree, node, x));
    for (std::uint32_t side = 0; side < 2; ++side) {
      const std::size_t child = node + step + side;
      const Edge& edge = edges[child];
      const bool open = side == right && (edge.same == 0 || scratch.open[edge.same] != 0);
      scratch.open[child] = static_cast<std::uint8_t>(open);
      for (std::size_t q = 0; q < quads; ++q) {
        Quad factor = rest[q] * edge.share;
        Quad inverse = rest_inverse[q] * edge.inverse_share;
        if (open) {
          factor += t[q];
          inverse = 1.0 / factor;
        }
        inverses[child * quads + q] = inverse;
        Quad product = products[std::size_t{node} * quads + q] * factor;
        if (edge.same != 0) product *= inverses[std::size_t{edge.same} * quads + q];
        products[child * quads + q] = product;
      }
    }
  }
}

/// The sums below each node, from the leaves up, and what each edge adds to its feature, for one output.
template <std::uint32_t kQuads>
[[gnu::always_inline]] inline void TreeShap::sweep_up(std::size_t number, Scratch& scratch, std::uint32_t output,
                                                      double* phi) const {
  const auto& layout = ensemble_->layout();
  const auto& tree = layout.trees[number];
  const auto& shape = trees_[number];
  const Edge* edges = edges_.data() + shape.first;
  const std::size_t quads = kQuads != 0 ? kQuads : shape.quads;
  const auto* products = reinterpret_cast<const Quad*>(scratch.products.data());
  const auto* inverses = reinterpret_cast<const Quad*>(scratch.inverses.data());
  auto* sums = reinterpret_cast<Quad*>(scratch.sums.data());
  const auto gain_of = [&](std::uint32_t node) { return (scratch.open[node] != 0 ? 1.0 : 0.0) - edges[node].share; };
  for (std::uint32_t node = shape.nodes - 1; node > 0; --node) {
    const Edge& edge = edges[node];
    const auto step = layout.step(tree.root + node);
    const double gain = gain_of(node);
    // What the same feature's edge above is going to count for these leaves with its own factor.
    const double other = edge.same == 0 ? 0.0 : gain_of(edge.same);
    const double value = step == 0 ? layout.leaf_value(tree, tree.root + node, output) / layout.divisor : 0;
    Quad total = {};
    for (std::size_t q = 0; q < quads; ++q) {
      const auto at = node * quads + q;
      const auto below = (std::size_t{node} + step) * quads + q;
      const Quad sum = step == 0 ? products[at] * value : sums[below] + sums[below + quads];
      sums[at] = sum;
      total += sum * inverses[at] * gain;
      if (edge.same != 0) total -= sum * inverses[edge.same * quads + q] * other;
    }
    phi[edge.feature] += total[0] + total[1] + total[2] + total[3];
  }
}

template <std::uint32_t kQuads>
[[gnu::always_inline]] inline void TreeShap::sweep(std::size_t number, Scratch& scratch, double* out) const {
  const auto& layout = ensemble_->layout();
  const auto& tree = layout.trees[number];
  sweep_down<kQuads>(number, scratch);
  const std::size_t columns = std::size_t{layout.features} + 1;
  if (!tree.vector_leaf) return sweep_up<kQuads>(number, scratch, tree.output, out + tree.output * columns);
  for (std::uint32_t k = 0; k < layout.outputs; ++k) sweep_up<kQuads>(number, scratch, k, out + k * columns);
}

#if defined(__x86_64__)
template <std::uint32_t kQuads>
[[gnu::target("avx2,fma")]] void TreeShap::sweep_avx2(std::size_t number, Scratch& scratch, double* out) const {
  sweep<kQuads>(number, scratch, out);
}
#else
template <std::uint32_t kQuads>
void TreeShap::sweep_avx2(std::size_t number, Scratch& scratch, double* out) const {
  sweep<kQuads>(number, scratch, out);
}
#endif

void TreeShap::sweep_any(std::size_t number, Scratch& scratch, double* out) const { sweep<0>(number, scratch, out); }

void TreeShap::add_row(std::size_t number, Scratch& scratch, double* out) const {
  if (trees_[number].nodes == 1) return;
  if (!have_avx2()) return sweep_any(number, scratch, out);
  switch (trees_[number].quads) {
    case 1: return sweep_avx2<1>(number, scratch, out);
    case 2: return sweep_avx2<2>(number, scratch, out);
    default: return sweep_avx2<0>(number, scratch, out);
  }
}

template <typename X>
void TreeShap::explain_rows(std::span<const X> rows, std::span<double> out) const {
  const auto& layout = ensemble_->layout();
  const std::size_t width = layout.outputs * (std::size_t{layout.features} + 1);
  const std::size_t count = out.size() / width;
  PROTEAN_CHECK(out.size() == count * width && rows.size() == count * layout.features);
  Scratch scratch(nodes_max_, quads_max_, layout.features);
  std::fill(out.begin(), out.end(), 0.0);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t f = 0; f < layout.features; ++f) {
      const X x = rows[i * layout.features + f];
      scratch.row[f] =
          layout.rows == RowType::kFloat32 ? static_cast<double>(static_cast<float>(x)) : static_cast<double>(x);
    }
    double* row_out = out.data() + i * width;
    for (std::size_t k = 0; k < layout.outputs; ++k) row_out[(k + 1) * (layout.features + 1) - 1] = base_[k];
    for (std::size_t t = 0; t < trees_.size(); ++t) add_row(t, scratch, row_out);
  }
}

void TreeShap::explain(std::span<const float> rows, std::span<double> out) const { explain_rows(rows, out); }
void TreeShap::explain(std::span<const double> rows, std::span<double> out) const { explain_rows(rows, out); }

std::uint64_t TreeShap::memory_bytes() const noexcept {
  return edges_.capacity() * sizeof(Edge) + trees_.capacity() * sizeof(Tree) + base_.capacity() * sizeof(double);
}

}  // namespace protean
