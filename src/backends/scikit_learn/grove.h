// SPDX-License-Identifier: Apache-2.0
// scikit-learn's trees as ensembles of src/trees, and what estimators made of them share.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "backends/scikit_learn/estimator.h"
#include "backends/scikit_learn/state.h"
#include "base/result.h"
#include "trees/ensemble.h"
#include "trees/tree_shap.h"

namespace protean::sklearn {

/// What the leaves of a tree become. kShares: of the classes, adding up to 1.  kValues: as they are.
/// kPathLength: the depth, and how much deeper an isolation tree would go for the rows of the leaf.
enum class LeafRule : unsigned char { kShares, kValues, kPathLength };

/// One `sklearn.tree._tree.Tree`, with its facts.  `importances`: by impurity, adding up to 1 (or all 0).
struct TreeParts {
  TreeSpec spec;
  std::size_t features = 0;
  std::size_t outputs = 0;
  bool knows_missing = false;
  std::vector<double> importances;
};

/// `estimator`: the tree estimator that has `tree_`.  Child indices and the like are checked by make_ensemble().
/// Errors: kInvalidArgument.
[[nodiscard]] Result<TreeParts> read_tree(const State& estimator, LeafRule rule);

/// Average path length of an unsuccessful search in a binary search tree of n points.
/// Source: Liu, Ting, Zhou, "Isolation Forest", 2008, equation 1.
[[nodiscard]] double average_path_length(double n);

/// An estimator whose answer is an ensemble's margins.
class Grove : public Estimator {
 public:
  /// Made when it is first asked for.  Errors: as TreeShap::make().
  [[nodiscard]] Result<const TreeShap*> shap() const;
  [[nodiscard]] const TreeEnsemble& ensemble() const noexcept { return *ensemble_; }
  std::vector<double> importances() const override { return importances_; }
  /// What the margins are: `probability`, `prediction`, `margin`; empty when contributions to them explain nothing.
  [[nodiscard]] virtual std::string_view scale() const { return {}; }
  /// The ensemble's answers, [rows, outputs].
  void margins(const Matrix& in, Matrix& out) const;

 protected:
  Grove(EstimatorFacts facts, TreeEnsemble ensemble, std::vector<double> importances);

 private:
  const std::unique_ptr<const TreeEnsemble> ensemble_;
  mutable std::once_flag shap_once_;
  mutable std::optional<Result<TreeShap>> shap_;  // set once
  const std::vector<double> importances_;
};

}  // namespace protean::sklearn
