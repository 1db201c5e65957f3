// SPDX-License-Identifier: Apache-2.0
// The checks before each step, and arithmetic that several families share.
#include "backends/scikit_learn/estimator.h"

#include <algorithm>
#include <cmath>

namespace protean::sklearn {
namespace {

tl::unexpected<Error> cannot(const EstimatorFacts& facts, const char* what) {
  return fail(Code::kUnimplemented, facts.class_name + " has no " + what);
}

}  // namespace

std::vector<ColumnFacts> Estimator::columns() const {
  ColumnFacts number;
  number.kind = ColumnKind::kNumber;
  number.nullable = facts_.missing != Missing::kRefused;
  return std::vector<ColumnFacts>(facts_.inputs, number);
}

Status Estimator::check(const Frame& in) const {
  if (in.cols() != facts_.inputs) {
    return fail(Code::kInvalidArgument, facts_.class_name + ": found " + std::to_string(in.cols()) +
                                            " columns, expected " + std::to_string(facts_.inputs));
  }
  if (facts_.missing == Missing::kAnything) return {};
  const bool nan_allowed = facts_.missing == Missing::kNanAllowed;
  const auto& values = in.numbers.values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    if (std::isnan(values[i]) && (nan_allowed || in.is_text(i % in.cols()))) continue;
    const auto column = i % in.cols();
    const auto name = column < facts_.input_names.size() ? " ('" + facts_.input_names[column] + "')" : "";
    return fail(Code::kInvalidArgument,
                facts_.class_name + ": row " + std::to_string(i / in.cols()) + ", column " + std::to_string(column) +
                    name + " is " + (std::isnan(values[i]) ? "missing (NaN)" : "infinite") + ", expected a number");
  }
  return {};
}

Status Estimator::transform(const Frame& in, Frame& out) const {
  TRY_STATUS(check(in));
  return do_transform(in, out);
}
Status Estimator::predict(const Frame& in, Matrix& out) const {
  TRY_STATUS(check(in));
  return do_predict(in, out);
}
Status Estimator::probabilities(const Frame& in, Matrix& out) const {
  TRY_STATUS(check(in));
  return do_probabilities(in, out);
}
Status Estimator::decision(const Frame& in, Matrix& out) const {
  TRY_STATUS(check(in));
  return do_decision(in, out);
}

Status Estimator::prepare(const Frame&, Frame&) const { return cannot(facts_, "steps"); }
bool Estimator::affine(std::vector<double>&, std::vector<double>&) const { return false; }
bool Estimator::linear_form(LinearForm&) const { return false; }
Status Estimator::do_transform(const Frame&, Frame&) const { return cannot(facts_, "transform"); }
Status Estimator::do_probabilities(const Frame&, Matrix&) const { return cannot(facts_, "probabilities"); }
Status Estimator::do_decision(const Frame&, Matrix&) const { return cannot(facts_, "decision function"); }

Status Estimator::do_predict(const Frame& in, Matrix& out) const {
  Matrix scores;
  if (facts_.rule == PredictRule::kOwn) return cannot(facts_, "predictions");
  TRY_STATUS(facts_.rule == PredictRule::kDecision ? do_decision(in, scores) : do_probabilities(in, scores));
  choose_classes(scores, out);
  return {};
}

void choose_classes(const Matrix& scores, Matrix& out) {
  out.reset(scores.rows, 1);
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const double* row = scores.row(i);
    out.values[i] =
        scores.cols == 1 ? (row[0] > 0 ? 1 : 0) : static_cast<double>(std::max_element(row, row + scores.cols) - row);
  }
}

void softmax_rows(Matrix& scores) {
  for (std::size_t i = 0; i < scores.rows; ++i) {
    double* row = scores.row(i);
    const double largest = *std::max_element(row, row + scores.cols);
    double sum = 0;
    for (std::size_t k = 0; k < scores.cols; ++k) sum += row[k] = std::exp(row[k] - largest);
    for (std::size_t k = 0; k < scores.cols; ++k) row[k] /= sum;
  }
}

double logistic(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);
  return e / (1 + e);
}

void multiply(const Matrix& x, const Matrix& weights, const std::vector<double>& intercepts, Matrix& out) {
  out.reset(x.rows, weights.rows);
  std::vector<std::size_t> used;
  for (std::size_t i = 0; i < x.rows; ++i) {
    const double* row = x.row(i);
    // Rows of texts are nearly all zeros: then only the others are visited.
    used.clear();
    for (std::size_t j = 0; j < x.cols; ++j) {
      if (row[j] != 0) used.push_back(j);
    }
    const bool sparse = used.size() * 4 < x.cols;
    for (std::size_t k = 0; k < weights.rows; ++k) {
      const double* weight = weights.row(k);
      double sum = 0;
      if (sparse) {
        for (const auto j : used) sum += row[j] * weight[j];
      } else {
        for (std::size_t j = 0; j < x.cols; ++j) sum += row[j] * weight[j];
      }
      out.at(i, k) = sum + (intercepts.empty() ? 0.0 : intercepts[intercepts.size() == 1 ? 0 : k]);
    }
  }
}

}  // namespace protean::sklearn
