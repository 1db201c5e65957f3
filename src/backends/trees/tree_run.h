// SPDX-License-Identifier: Apache-2.0
// One run of a TreeModel: the rows where they lie, and margins that several outputs share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "core/tensor.h"
#include "trees/ensemble.h"
#include "trees/tree_shap.h"

namespace protean {

/// Points into the tensor and the ensemble, which must outlive it.
class TreeRun {
 public:
  /// `input`: [rows, features] of the ensemble's type, checked against the signature.
  TreeRun(const TreeEnsemble& ensemble, const Tensor& input);
  /// One input a column, texts where `hashed` has the feature's categories; the ensemble's rows are floats.
  TreeRun(const TreeEnsemble& ensemble, std::span<const Tensor* const> columns,
          const std::vector<std::vector<std::uint32_t>>& hashed);

  /// Of a linear model: TreeModelSpec::weights, which must outlive it. The rows are floats.
  void use_weights(std::span<const float> weights) noexcept { weights_ = weights; }

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  /// [rows, outputs]; computed once.
  [[nodiscard]] std::span<const double> margins();
  /// [rows, trees]
  [[nodiscard]] std::vector<std::uint32_t> leaves() const;
  /// [rows, outputs, features + 1]
  [[nodiscard]] std::vector<double> contributions(const TreeShap& shap) const;
  /// The same of a linear model: weight times value, 0 where it is missing; the last is the base.
  [[nodiscard]] std::vector<double> linear_contributions() const;
  /// The rows as doubles.
  [[nodiscard]] std::vector<double> doubles() const;

 private:
  [[nodiscard]] std::size_t values() const noexcept { return rows_ * ensemble_.features(); }
  [[nodiscard]] std::span<const float> float_rows() const noexcept;
  [[nodiscard]] std::span<const double> double_rows() const noexcept;
  void add_weighted();

  const TreeEnsemble& ensemble_;
  const std::size_t rows_;
  Buffer aligned_;  // rows that stand askew in a body, or in columns
  const std::byte* data_;
  std::span<const float> weights_;
  std::vector<double> margins_;
};

}  // namespace protean
