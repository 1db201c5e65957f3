// SPDX-License-Identifier: Apache-2.0
// Exact Shapley values of an ensemble's margins: path-dependent (a feature that is unknown goes both ways, by the cover
// of the training rows, as XGBoost's and LightGBM's pred_contrib do) and interventional (unknown features are taken
// from background rows).
//
// A leaf with value v adds v * prod_i (z_i (1 - x_i) + o_i x_i) to the game, where z_i is the share of rows that
// feature i lets through and o_i whether this row goes that way. The Shapley value of a multilinear game is the
// integral of its gradient along the diagonal (Owen 1972), here of a polynomial in one variable of degree below the
// number of distinct features on the path: Gauss-Legendre quadrature of half as many points is exact. So a tree is one
// sweep down that multiplies and one up that adds, with no path to unwind.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "trees/ensemble.h"

namespace protean {

/// What explain() needs of an ensemble.  Immutable: thread-safe.
class TreeShap {
 public:
  /// Whether make() would succeed. Errors: kUnimplemented for an ensemble that is not explainable() or deeper than 128.
  [[nodiscard]] static Status check(const TreeEnsemble& ensemble);

  /// `ensemble`: must outlive the result.  Errors: those of check().
  [[nodiscard]] static Result<TreeShap> make(const TreeEnsemble& ensemble);

  /// What the margins are expected to be when nothing is known: [outputs].
  [[nodiscard]] std::span<const double> base() const noexcept { return base_; }

  /// `out`: [rows, outputs, features + 1]: the contributions, then the base; they add up to the margins.
  /// `rows`: as in predict_margins().  Thread-safe; takes the longer the more nodes there are.
  void explain(std::span<const float> rows, std::span<double> out) const;
  void explain(std::span<const double> rows, std::span<double> out) const;

  /// The same with unknown features taken from each of the `background` rows in turn, averaged.
  /// Requires at least one background row. Takes time in proportion to rows times background rows.
  void explain_against(std::span<const double> background, std::span<const double> rows, std::span<double> out) const;

  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;

 private:
  /// The edge that leads to a node. `share`: of rows let through by all splits on this feature down to here.
  /// `same`: the nearest node above whose edge asked for the same feature, 0 (the root has no edge) for none.
  struct Edge {
    double share;
    double inverse_share;
    std::uint32_t feature;
    std::uint32_t parent;
    std::uint32_t same;
    std::uint32_t right;  // 1: of the right child
  };
  /// `first`: index of its root in edges_ and, times the number of quads, in the tables.  `quads`: of quadrature
  /// points.
  struct Tree {
    std::uint64_t first;
    std::uint32_t nodes;
    std::uint32_t quads;
  };
  struct Scratch;

  explicit TreeShap(const TreeEnsemble& ensemble) : ensemble_(&ensemble) {}
  void add_tree(std::size_t number);
  std::uint32_t add_edges(std::size_t number);
  template <typename X>
  void explain_rows(std::span<const X> rows, std::span<double> out) const;
  void add_row(std::size_t number, Scratch& scratch, double* out) const;
  template <std::uint32_t kQuads>
  void sweep_down(std::size_t number, Scratch& scratch) const;
  template <std::uint32_t kQuads>
  void sweep_up(std::size_t number, Scratch& scratch, std::uint32_t output, double* phi) const;
  template <std::uint32_t kQuads>
  void sweep(std::size_t number, Scratch& scratch, double* out) const;
  template <std::uint32_t kQuads>
  void sweep_avx2(std::size_t number, Scratch& scratch, double* out) const;
  void sweep_any(std::size_t number, Scratch& scratch, double* out) const;

  const TreeEnsemble* ensemble_;
  std::vector<double> base_;
  std::vector<Tree> trees_;
  std::vector<Edge> edges_;  // one a node; a root's is unused
  std::uint32_t nodes_max_ = 0;
  std::uint32_t quads_max_ = 1;
};

}  // namespace protean
