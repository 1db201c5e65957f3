// SPDX-License-Identifier: Apache-2.0
// TreeShap::explain_against(): the row and a background row walk a tree together and part where they disagree. A leaf
// that takes p features from the row and n from the background adds (p-1)! n! / (p+n)! of its value to each of the p
// and takes p! (n-1)! / (p+n)! of it from each of the n (Lundberg et al. 2020, interventional TreeSHAP).
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "trees/layout.h"
#include "trees/tree_shap.h"

namespace protean {
namespace {

enum class Side : std::uint8_t { kOpen, kRow, kBackground };

/// (a! b!) / (a + b + 1)!
double weight_of(std::size_t a, std::size_t b) {
  return std::exp(std::lgamma(static_cast<double>(a) + 1) + std::lgamma(static_cast<double>(b) + 1) -
                  std::lgamma(static_cast<double>(a + b) + 2));
}

/// One tree, one row, one background row. Walks depth first with its own stack.
class Duel {
 public:
  Duel(const TreeEnsemble::Layout& layout, double scale)
      : layout_(layout), scale_(scale), side_(layout.features, Side::kOpen) {}

  void fight(const TreeLayout& tree, const double* row, const double* background, double* out) {
    stack_.assign(1, {0, kUndo, Side::kOpen});
    while (!stack_.empty()) {
      const Step step = stack_.back();
      stack_.pop_back();
      if (step.node == kUndo) {
        forget(step.feature);
        continue;
      }
      if (step.feature != kUndo) decide(step.feature, step.side);
      visit(tree, step.node, row, background, out);
    }
  }

 private:
  static constexpr std::uint32_t kUndo = UINT32_MAX;
  /// Go to `node` after giving `feature` to `side`; with node kUndo: take the feature back.
  struct Step {
    std::uint32_t node;
    std::uint32_t feature;
    Side side;
  };

  void decide(std::uint32_t feature, Side side) {
    side_[feature] = side;
    (side == Side::kRow ? from_row_ : from_background_).push_back(feature);
  }
  void forget(std::uint32_t feature) {
    (side_[feature] == Side::kRow ? from_row_ : from_background_).pop_back();
    side_[feature] = Side::kOpen;
  }

  void visit(const TreeLayout& tree, std::uint32_t node, const double* row, const double* background, double* out) {
    const auto index = tree.root + node;
    const auto step = layout_.step(index);
    if (step == 0) return add_leaf(tree, index, out);
    const auto feature = layout_.feature(index);
    const auto child_of = [&](double x) {
      return node + step + static_cast<std::uint32_t>(layout_.goes_right(tree, node, x));
    };
    const auto ours = child_of(row[feature]);
    const auto theirs = child_of(background[feature]);
    if (ours == theirs || side_[feature] == Side::kRow) return stack_.push_back({ours, kUndo, Side::kOpen});
    if (side_[feature] == Side::kBackground) return stack_.push_back({theirs, kUndo, Side::kOpen});
    for (const auto& [child, side] : {std::pair(ours, Side::kRow), std::pair(theirs, Side::kBackground)}) {
      stack_.push_back({kUndo, feature, side});
      stack_.push_back({child, feature, side});
    }
  }

  void add_leaf(const TreeLayout& tree, std::uint64_t leaf, double* out) const {
    const auto ours = from_row_.size();
    const auto theirs = from_background_.size();
    const double plus = ours == 0 ? 0 : scale_ * weight_of(ours - 1, theirs);
    const double minus = theirs == 0 ? 0 : scale_ * weight_of(ours, theirs - 1);
    const std::size_t columns = layout_.features + 1;
    const std::uint32_t first = tree.vector_leaf ? 0 : tree.output;
    const std::uint32_t last = tree.vector_leaf ? layout_.outputs - 1 : tree.output;
    for (std::uint32_t k = first; k <= last; ++k) {
      const double value = layout_.leaf_value(tree, leaf, k);
      double* phi = out + k * columns;
      for (const auto feature : from_row_) phi[feature] += plus * value;
      for (const auto feature : from_background_) phi[feature] -= minus * value;
      // What the background alone would have got belongs to the base.
      if (ours == 0) phi[layout_.features] += scale_ * value;
    }
  }

  const TreeEnsemble::Layout& layout_;
  const double scale_;
  std::vector<Side> side_;  // by feature
  std::vector<std::uint32_t> from_row_;
  std::vector<std::uint32_t> from_background_;
  std::vector<Step> stack_;
};

}  // namespace

void TreeShap::explain_against(std::span<const double> background, std::span<const double> rows,
                               std::span<double> out) const {
  const auto& layout = ensemble_->layout();
  const std::size_t features = layout.features;
  const std::size_t columns = features + 1;
  const std::size_t width = layout.outputs * columns;
  const std::size_t count = out.size() / width;
  PROTEAN_CHECK(features != 0 && background.size() >= features && background.size() % features == 0);
  PROTEAN_CHECK(out.size() == count * width && rows.size() == count * features);
  const std::size_t others = background.size() / features;
  Duel duel(layout, 1 / (static_cast<double>(others) * layout.divisor));
  for (std::size_t i = 0; i < count; ++i) {
    double* row_out = out.data() + i * width;
    std::fill_n(row_out, width, 0.0);
    for (const auto& tree : layout.trees) {
      for (std::size_t b = 0; b < others; ++b) {
        duel.fight(tree, rows.data() + i * features, background.data() + b * features, row_out);
      }
    }
    for (std::size_t k = 0; k < layout.outputs; ++k) {
      row_out[k * columns + features] += layout.base[k] / (layout.base_last ? 1 : layout.divisor);
    }
  }
}

}  // namespace protean
