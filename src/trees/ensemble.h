// SPDX-License-Identifier: Apache-2.0
// Ensembles of decision trees, whatever library grew them. A reader fills an EnsembleSpec in that library's own terms;
// make_ensemble() checks every index of it once and lays the trees out for prediction (predict.h, tree_shap.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace protean {

/// What a node asks of a row's value x; the answer yes leads left.
///   kLess: x < threshold    kLessEqual: x <= threshold
///   kInSet: trunc(x) is in a set of categories (LightGBM)
///   kNotInSet: x is negative or trunc(x) is not in the set (XGBoost)
enum class SplitTest : unsigned char { kLeaf, kLess, kLessEqual, kInSet, kNotInSet };

/// Which values take a node's default way instead of being asked.
///   kNan: NaN.   kZeroOrNan: NaN and |x| <= 1e-35 (LightGBM's zero_as_missing).
///   kNanIsZero: none; NaN is asked as 0 would be.
enum class MissingRule : unsigned char { kNan, kZeroOrNan, kNanIsZero };

/// One node. Nodes are in any order as long as node 0 is the root and each other node has exactly one parent.
/// `feature`, `threshold`, `left`, `right`, `missing`, `default_left`: of an inner node.
/// `value`: of a leaf, which leaf vector is its own (vectors have TreeSpec::leaf_size numbers in TreeSpec::values);
/// of kInSet and kNotInSet, the index in TreeSpec::sets.
/// `id`: of a leaf, what leaf_indices() answers.
/// `cover`: weight of the training rows that came here; needed by tree_shap.h only (all 0: unknown).
struct TreeNode {
  SplitTest test = SplitTest::kLeaf;
  MissingRule missing = MissingRule::kNan;
  bool default_left = false;
  std::uint32_t feature = 0;
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  std::uint32_t value = 0;
  std::uint32_t id = 0;
  double threshold = 0;
  double cover = 0;
};

/// The linear model in a leaf: constant + sum of coefficients[i] * row[features[i]], which takes the place of the
/// leaf's value unless one of those features is NaN.
struct LinearLeaf {
  double constant = 0;
  std::vector<std::uint32_t> features;
  std::vector<double> coefficients;
};

/// `leaf_size`: 1 (the leaf is added to `output`) or EnsembleSpec::outputs (a vector is added to all).
/// `sets`: sorted or not, of category numbers below 2^24.  `weight`: factor on every leaf (DART).
/// `linear`: empty, or one for each leaf vector.
struct TreeSpec {
  std::vector<TreeNode> nodes;
  std::vector<double> values;
  std::vector<std::vector<std::uint32_t>> sets;
  std::vector<LinearLeaf> linear;
  std::uint32_t leaf_size = 1;
  std::uint32_t output = 0;
  double weight = 1;
};

/// The type that rows come in and thresholds are compared in. kFloat32: a double threshold is compared with the float
/// exactly, as scikit-learn's trees do.
enum class RowType : unsigned char { kFloat32, kFloat64 };

/// The type that leaves are added in, one after another in the order of the trees. kFloat32 rounds leaves, base scores
/// and each sum to float, as XGBoost does.
enum class SumType : unsigned char { kFloat32, kFloat64 };

/// An ensemble: margin = (base + sum of weight * leaf) / divisor.
/// `base`: one number an output; added before the first tree, or after the last one and after dividing when
/// `base_last`: margin = (sum of weight * leaf) / divisor + base.
/// `divisor`: the number of trees for a mean.
struct EnsembleSpec {
  std::uint32_t features = 0;
  std::uint32_t outputs = 1;
  RowType rows = RowType::kFloat32;
  SumType sums = SumType::kFloat64;
  std::vector<double> base;
  bool base_last = false;
  double divisor = 1;
  std::vector<TreeSpec> trees;
};

/// What an ensemble may be at most: all of them far beyond what libraries grow, so that what is larger is a mistake or
/// an attack. Depth counts the edges from the root.
struct EnsembleLimits {
  std::uint32_t features_max = 1U << 24;
  std::uint32_t outputs_max = 1U << 16;
  std::uint32_t trees_max = 1U << 20;
  std::uint64_t nodes_max = 1ULL << 28;
  std::uint32_t depth_max = 4096;
};

/// A checked ensemble laid out for prediction.  Immutable: thread-safe.
class TreeEnsemble {
 public:
  struct Layout;
  explicit TreeEnsemble(std::unique_ptr<const Layout> layout) noexcept;
  TreeEnsemble(TreeEnsemble&&) noexcept;
  TreeEnsemble& operator=(TreeEnsemble&&) noexcept;
  ~TreeEnsemble();

  [[nodiscard]] std::uint32_t features() const noexcept;
  [[nodiscard]] std::uint32_t outputs() const noexcept;
  [[nodiscard]] std::uint32_t trees() const noexcept;
  [[nodiscard]] RowType rows() const noexcept;
  [[nodiscard]] SumType sums() const noexcept;
  /// Whether every node says what it covers, and no leaf is linear: what tree_shap.h needs.
  [[nodiscard]] bool explainable() const noexcept;
  /// Of everything it holds.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;
  /// For the files of this folder.
  [[nodiscard]] const Layout& layout() const noexcept { return *layout_; }

 private:
  std::unique_ptr<const Layout> layout_;
};

/// Checks and lays out.
/// Errors: kInvalidArgument, naming the tree and node, for children out of range, nodes with two parents or none
/// (cycles), features, outputs, leaf vectors or sets out of range, numbers that are not finite where a prediction would
/// be spoilt (NaN thresholds; infinite ones are fine), sizes that disagree, and anything beyond `limits`.
[[nodiscard]] Result<TreeEnsemble> make_ensemble(EnsembleSpec spec, const EnsembleLimits& limits = {});

}  // namespace protean
