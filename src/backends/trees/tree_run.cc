// SPDX-License-Identifier: Apache-2.0
// Which of the float and double entries of trees/ a run takes.
#include "backends/trees/tree_run.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/trees/category_hash.h"
#include "trees/predict.h"

namespace protean {

TreeRun::TreeRun(const TreeEnsemble& ensemble, const Tensor& input)
    : ensemble_(ensemble), rows_(static_cast<std::size_t>(input.shape[0])), data_(input.data.data()) {
  const std::size_t alignment = ensemble.rows() == RowType::kFloat32 ? alignof(float) : alignof(double);
  if (reinterpret_cast<std::uintptr_t>(data_) % alignment == 0) return;
  aligned_.append(input.data.bytes);
  data_ = aligned_.data();
}

TreeRun::TreeRun(const TreeEnsemble& ensemble, std::span<const Tensor* const> columns,
                 const std::vector<std::vector<std::uint32_t>>& hashed)
    : ensemble_(ensemble), rows_(static_cast<std::size_t>(columns[0]->shape[0])), data_(nullptr) {
  aligned_.resize(values() * sizeof(float));
  data_ = aligned_.data();
  const std::span<float> matrix(reinterpret_cast<float*>(aligned_.data()), values());
  for (std::size_t column = 0; column < columns.size(); ++column) {
    const auto& tensor = *columns[column];
    if (tensor.type != DataType::kBytes) {
      for (std::size_t i = 0; i < rows_; ++i) {
        std::memcpy(&matrix[i * columns.size() + column], tensor.data.data() + i * sizeof(float), sizeof(float));
      }
      continue;
    }
    BytesReader reader(tensor.data.bytes);
    const auto& known = hashed[column];
    for (std::size_t i = 0; i < rows_; ++i) {
      const auto found = std::find(known.begin(), known.end(), category_hash(reader.next()));
      // A category that no split asks for is in no set.
      matrix[i * columns.size() + column] = found == known.end() ? -1.0F : static_cast<float>(found - known.begin());
    }
  }
}

std::span<const float> TreeRun::float_rows() const noexcept {
  return {reinterpret_cast<const float*>(data_), values()};
}
std::span<const double> TreeRun::double_rows() const noexcept {
  return {reinterpret_cast<const double*>(data_), values()};
}

std::span<const double> TreeRun::margins() {
  if (margins_.empty()) {
    margins_.resize(rows_ * ensemble_.outputs());
    ensemble_.rows() == RowType::kFloat32 ? predict_margins(ensemble_, float_rows(), margins_)
                                          : predict_margins(ensemble_, double_rows(), margins_);
    if (!weights_.empty()) add_weighted();
  }
  return margins_;
}

/// In float and in the order of the features, as XGBoost does.
void TreeRun::add_weighted() {
  const std::size_t features = ensemble_.features();
  const std::size_t outputs = ensemble_.outputs();
  const auto rows = float_rows();
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t k = 0; k < outputs; ++k) {
      auto sum = static_cast<float>(margins_[i * outputs + k]);
      for (std::size_t f = 0; f < features; ++f) {
        const float x = rows[i * features + f];
        if (!std::isnan(x)) sum += x * weights_[f * outputs + k];
      }
      margins_[i * outputs + k] = static_cast<double>(sum);
    }
  }
}

std::vector<double> TreeRun::linear_contributions() const {
  const std::size_t features = ensemble_.features();
  const std::size_t outputs = ensemble_.outputs();
  const auto rows = float_rows();
  std::vector<double> base(outputs);
  predict_margins(ensemble_, std::span<const float>(std::vector<float>(features)), base);
  std::vector<double> out(rows_ * outputs * (features + 1));
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t k = 0; k < outputs; ++k) {
      double* phi = out.data() + (i * outputs + k) * (features + 1);
      for (std::size_t f = 0; f < features; ++f) {
        const float x = rows[i * features + f];
        phi[f] = std::isnan(x) ? 0 : static_cast<double>(x * weights_[f * outputs + k]);
      }
      phi[features] = base[k];
    }
  }
  return out;
}

std::vector<std::uint32_t> TreeRun::leaves() const {
  std::vector<std::uint32_t> out(rows_ * ensemble_.trees());
  ensemble_.rows() == RowType::kFloat32 ? find_leaves(ensemble_, float_rows(), out)
                                        : find_leaves(ensemble_, double_rows(), out);
  return out;
}

std::vector<double> TreeRun::contributions(const TreeShap& shap) const {
  std::vector<double> out(rows_ * ensemble_.outputs() * (std::size_t{ensemble_.features()} + 1));
  ensemble_.rows() == RowType::kFloat32 ? shap.explain(float_rows(), out) : shap.explain(double_rows(), out);
  return out;
}

std::vector<double> TreeRun::doubles() const {
  if (ensemble_.rows() == RowType::kFloat64) return {double_rows().begin(), double_rows().end()};
  return {float_rows().begin(), float_rows().end()};
}

}  // namespace protean
