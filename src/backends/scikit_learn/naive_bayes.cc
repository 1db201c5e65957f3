// SPDX-License-Identifier: Apache-2.0
// Naive Bayes: joint log likelihoods, and the probabilities that follow from them.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

/// Log likelihoods that are linear in x (multinomial, Bernoulli, complement); `threshold`: x becomes x > threshold.
struct LinearLikelihood {
  Matrix weights;
  std::vector<double> start;
  bool binary = false;
  double threshold = 0;
};

class LinearBayes final : public Estimator {
 public:
  LinearBayes(EstimatorFacts facts, LinearLikelihood likelihood)
      : Estimator(std::move(facts)), l_(std::move(likelihood)) {}

 private:
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    if (l_.binary) {
      Matrix bits = in.numbers;
      for (auto& x : bits.values) x = x > l_.threshold ? 1 : 0;
      multiply(bits, l_.weights, l_.start, out);
    } else {
      multiply(in.numbers, l_.weights, l_.start, out);
    }
    softmax_rows(out);
    return {};
  }
  const LinearLikelihood l_;
};

class GaussianBayes final : public Estimator {
 public:
  GaussianBayes(EstimatorFacts facts, Matrix mean, Matrix variance, std::vector<double> start)
      : Estimator(std::move(facts)), mean_(std::move(mean)), variance_(std::move(variance)), start_(std::move(start)) {}

 private:
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    out.reset(in.rows(), mean_.rows);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      const double* x = in.numbers.row(i);
      for (std::size_t k = 0; k < mean_.rows; ++k) {
        double sum = 0;
        for (std::size_t j = 0; j < mean_.cols; ++j) {
          const double d = x[j] - mean_.at(k, j);
          sum += d * d / variance_.at(k, j);
        }
        out.at(i, k) = start_[k] - 0.5 * sum;
      }
    }
    softmax_rows(out);
    return {};
  }
  const Matrix mean_;
  const Matrix variance_;
  const std::vector<double> start_;
};

/// `tables`: for each column the log probabilities [classes, categories].
class CategoricalBayes final : public Estimator {
 public:
  CategoricalBayes(EstimatorFacts facts, std::vector<Matrix> tables, std::vector<double> start)
      : Estimator(std::move(facts)), tables_(std::move(tables)), start_(std::move(start)) {}

 private:
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    out.reset(in.rows(), start_.size());
    for (std::size_t i = 0; i < in.rows(); ++i) {
      std::copy(start_.begin(), start_.end(), out.row(i));
      for (std::size_t j = 0; j < tables_.size(); ++j) {
        const double x = std::trunc(in.numbers.at(i, j));  // scikit-learn makes integers of them
        if (!(x >= 0 && x < static_cast<double>(tables_[j].cols))) {
          return fail(Code::kInvalidArgument,
                      "CategoricalNB: row " + std::to_string(i) + ", column " + std::to_string(j) + " is " +
                          std::to_string(x) + ", expected a category from 0 to " + std::to_string(tables_[j].cols - 1));
        }
        for (std::size_t k = 0; k < out.cols; ++k) out.at(i, k) += tables_[j].at(k, static_cast<std::size_t>(x));
      }
    }
    softmax_rows(out);
    return {};
  }
  const std::vector<Matrix> tables_;
  const std::vector<double> start_;
};

Result<EstimatorPtr> make_categorical(const State& state, EstimatorFacts facts) {
  const auto classes = facts.labels.size();
  TRY(auto tables, state.matrices("feature_log_prob_"));
  TRY(auto start, state.numbers("class_log_prior_"));
  TRY_STATUS(state.expect(tables.size(), facts.inputs, "feature_log_prob_"));
  TRY_STATUS(state.expect(start.size(), classes, "class_log_prior_"));
  for (const auto& table : tables) {
    TRY_STATUS(state.expect(table, classes, table.cols, "feature_log_prob_"));
    if (table.cols == 0) return state.refuse("'feature_log_prob_' has a column without categories");
  }
  return std::make_unique<CategoricalBayes>(std::move(facts), std::move(tables), std::move(start));
}

Result<EstimatorPtr> make_gaussian(const State& state, EstimatorFacts facts) {
  const auto classes = facts.labels.size();
  TRY(auto mean, state.matrix("theta_"));
  TRY(auto variance, state.matrix(state.has("var_") ? "var_" : "sigma_"));
  TRY(auto start, state.numbers("class_prior_"));
  TRY_STATUS(state.expect(mean, classes, facts.inputs, "theta_"));
  TRY_STATUS(state.expect(variance, classes, facts.inputs, "var_"));
  TRY_STATUS(state.expect(start.size(), classes, "class_prior_"));
  for (std::size_t k = 0; k < classes; ++k) {
    start[k] = std::log(start[k]);
    for (std::size_t j = 0; j < facts.inputs; ++j) start[k] -= 0.5 * std::log(2 * std::numbers::pi * variance.at(k, j));
  }
  return std::make_unique<GaussianBayes>(std::move(facts), std::move(mean), std::move(variance), std::move(start));
}

}  // namespace

Result<EstimatorPtr> make_naive_bayes(const State& state) {
  TRY(auto facts, state.facts());
  TRY(facts.labels, state.labels("classes_"));
  const auto classes = facts.labels.size();
  facts.classifies = true;
  facts.targets = 1;
  facts.probability_columns = classes;
  facts.rule = PredictRule::kLargestProbability;
  if (state.class_name() == "GaussianNB") return make_gaussian(state, std::move(facts));
  if (state.class_name() == "CategoricalNB") return make_categorical(state, std::move(facts));
  LinearLikelihood l;
  TRY(l.weights, state.matrix("feature_log_prob_"));
  TRY(l.start, state.numbers("class_log_prior_"));
  TRY_STATUS(state.expect(l.weights, classes, facts.inputs, "feature_log_prob_"));
  TRY_STATUS(state.expect(l.start.size(), classes, "class_log_prior_"));
  if (state.class_name() == "ComplementNB" && classes > 1) l.start.assign(classes, 0);
  if (state.class_name() == "BernoulliNB") {
    for (std::size_t k = 0; k < classes; ++k) {
      for (std::size_t j = 0; j < facts.inputs; ++j) {
        const double absent = std::log(1 - std::exp(l.weights.at(k, j)));
        l.weights.at(k, j) -= absent;
        l.start[k] += absent;
      }
    }
    l.binary = state.has("binarize");
    l.threshold = state.number_or("binarize", 0);
  }
  return std::make_unique<LinearBayes>(std::move(facts), std::move(l));
}

}  // namespace protean::sklearn
