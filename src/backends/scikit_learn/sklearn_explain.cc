// SPDX-License-Identifier: Apache-2.0
// Exact contributions: weight times value for linear models (scalers before them included), TreeSHAP for trees.
#include <cstring>
#include <new>
#include <utility>

#include "backends/scikit_learn/grove.h"
#include "backends/scikit_learn/sklearn_model.h"

namespace protean::sklearn {
namespace {

Tensor doubles_tensor(Shape shape, const std::vector<double>& numbers) {
  Buffer bytes(numbers.size() * sizeof(double));
  if (!numbers.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return {DataType::kFp64, std::move(shape), std::move(bytes).share()};
}

std::int64_t as_size(std::size_t size) { return static_cast<std::int64_t>(size); }

}  // namespace

void SklearnModel::name_outputs(std::size_t count, Contributions& result) const {
  const auto& labels = estimator_->facts().labels;
  for (std::size_t j = 0; j < columns_.size(); ++j) result.features.push_back(feature_name(j));
  for (std::size_t k = 0; k < count; ++k) {
    const bool named = count == labels.size();
    std::string name = count == 1 ? "prediction" : "output_" + std::to_string(k);
    if (named && !labels.texts.empty()) name = labels.texts[k];
    if (named && !labels.numbers.empty()) name = std::to_string(labels.numbers[k]);
    result.outputs.push_back(std::move(name));
  }
}

Contributions SklearnModel::explain_linear(const LinearForm& form, const Matrix& rows) const {
  const auto outputs = form.weights.rows;
  const auto features = form.weights.cols;
  std::vector<double> values(rows.rows * features * outputs);
  std::vector<double> totals(rows.rows * outputs);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    for (std::size_t k = 0; k < outputs; ++k) {
      double sum = form.intercepts[k];
      for (std::size_t j = 0; j < features; ++j) {
        const double part = rows.at(i, j) * form.weights.at(k, j);
        values[(i * features + j) * outputs + k] = part;
        sum += part;
      }
      totals[i * outputs + k] = sum;
    }
  }
  Contributions result;
  result.method = "linear";
  result.scale = estimator_->facts().classifies ? "decision" : "prediction";
  name_outputs(outputs, result);
  result.base = doubles_tensor({as_size(outputs)}, form.intercepts);
  result.values = doubles_tensor({as_size(rows.rows), as_size(features), as_size(outputs)}, values);
  result.totals = doubles_tensor({as_size(rows.rows), as_size(outputs)}, totals);
  return result;
}

Result<Contributions> SklearnModel::explain_trees(const Grove& grove, const Matrix& rows) const {
  TRY(const auto* shap, grove.shap());
  const std::size_t outputs = grove.ensemble().outputs();
  const std::size_t features = grove.ensemble().features();
  std::vector<double> found(rows.rows * outputs * (features + 1));
  shap->explain(std::span<const double>(rows.values), found);
  std::vector<double> values(rows.rows * features * outputs);
  std::vector<double> totals(rows.rows * outputs, 0);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    for (std::size_t k = 0; k < outputs; ++k) {
      const double* phi = found.data() + (i * outputs + k) * (features + 1);
      for (std::size_t j = 0; j < features; ++j) values[(i * features + j) * outputs + k] = phi[j];
    }
  }
  Matrix margins;
  grove.margins(rows, margins);
  Contributions result;
  result.method = "tree_shap";
  result.scale = grove.scale();
  name_outputs(outputs, result);
  result.base = doubles_tensor({as_size(outputs)}, {shap->base().begin(), shap->base().end()});
  result.values = doubles_tensor({as_size(rows.rows), as_size(features), as_size(outputs)}, values);
  result.totals = doubles_tensor({as_size(rows.rows), as_size(outputs)}, margins.values);
  return result;
}

Result<Contributions> SklearnModel::explain(const RunRequest& request) {
  try {
    LinearForm form;
    const auto* grove = dynamic_cast<const Grove*>(estimator_.get());
    const bool linear = estimator_->linear_form(form);
    const bool trees = grove != nullptr && !grove->scale().empty();
    if (!one_matrix_ || !request.background.empty() || (!linear && !trees)) {
      return fail(Code::kUnimplemented, estimator_->facts().class_name + " has no exact contributions");
    }
    TRY(const auto rows, count_rows(request));
    TRY(const auto frame, read_rows(request, 0, rows));
    if (trees) return explain_trees(*grove, frame.numbers);
    Matrix checked;  // the same refusals as for a prediction
    TRY_STATUS(estimator_->predict(frame, checked));
    return explain_linear(form, frame.numbers);
  } catch (const std::bad_alloc&) {
    return fail(Code::kResourceExhausted, "no memory left for the contributions");
  }
}

}  // namespace protean::sklearn
