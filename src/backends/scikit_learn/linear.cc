// SPDX-License-Identifier: Apache-2.0
// Linear models, whatever they were fitted by: weights, intercepts and a link.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

class LinearRegressor final : public Estimator {
 public:
  LinearRegressor(EstimatorFacts facts, LinearForm form, bool exponential)
      : Estimator(std::move(facts)), form_(std::move(form)), exponential_(exponential) {}
  bool linear_form(LinearForm& form) const override {
    if (exponential_) return false;
    form = form_;
    return true;
  }
  std::vector<double> importances() const override {
    std::vector<double> sums(facts().inputs, 0);
    for (std::size_t i = 0; i < form_.weights.values.size(); ++i)
      sums[i % sums.size()] += std::abs(form_.weights.values[i]);
    return sums;
  }

 private:
  Status do_predict(const Frame& in, Matrix& out) const override {
    multiply(in.numbers, form_.weights, form_.intercepts, out);
    if (exponential_) {
      for (auto& y : out.values) y = std::exp(y);
    }
    return {};
  }
  const LinearForm form_;
  const bool exponential_;
};

/// SGDOneClassSVM: 1 for what lies inside, -1 for outliers.
class LinearOutliers final : public Estimator {
 public:
  LinearOutliers(EstimatorFacts facts, LinearForm form) : Estimator(std::move(facts)), form_(std::move(form)) {}

 private:
  Status do_decision(const Frame& in, Matrix& out) const override {
    multiply(in.numbers, form_.weights, form_.intercepts, out);
    return {};
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    TRY_STATUS(do_decision(in, out));
    for (auto& value : out.values) value = value >= 0 ? 1 : -1;
    return {};
  }
  const LinearForm form_;
};

/// How probabilities follow from the decision. kSoftmaxOfPair: of [-d, d] for two classes.
enum class Calibration : unsigned char { kNone, kLogistic, kSoftmax, kSoftmaxOfPair, kModifiedHuber };

class LinearClassifier final : public Estimator {
 public:
  LinearClassifier(EstimatorFacts facts, LinearForm form, Calibration calibration)
      : Estimator(std::move(facts)), form_(std::move(form)), calibration_(calibration) {}
  bool linear_form(LinearForm& form) const override {
    form = form_;
    return true;
  }
  std::vector<double> importances() const override {
    std::vector<double> sums(facts().inputs, 0);
    for (std::size_t i = 0; i < form_.weights.values.size(); ++i)
      sums[i % sums.size()] += std::abs(form_.weights.values[i]);
    return sums;
  }

 private:
  Status do_decision(const Frame& in, Matrix& out) const override {
    multiply(in.numbers, form_.weights, form_.intercepts, out);
    return {};
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override;
  const LinearForm form_;
  const Calibration calibration_;
};

double one_probability(Calibration calibration, double d) {
  if (calibration == Calibration::kModifiedHuber) return (std::clamp(d, -1.0, 1.0) + 1) / 2;
  return logistic(calibration == Calibration::kSoftmaxOfPair ? 2 * d : d);
}

Status LinearClassifier::do_probabilities(const Frame& in, Matrix& out) const {
  Matrix scores;
  TRY_STATUS(do_decision(in, scores));
  if (scores.cols == 1) {
    out.reset(scores.rows, 2);
    for (std::size_t i = 0; i < scores.rows; ++i) {
      out.at(i, 1) = one_probability(calibration_, scores.values[i]);
      out.at(i, 0) = 1 - out.at(i, 1);
    }
    return {};
  }
  out = std::move(scores);
  if (calibration_ == Calibration::kSoftmax) {
    softmax_rows(out);
    return {};
  }
  for (std::size_t i = 0; i < out.rows; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < out.cols; ++k) sum += out.at(i, k) = one_probability(calibration_, out.at(i, k));
    // All classes at zero: every one as likely as the others.
    for (std::size_t k = 0; k < out.cols; ++k)
      out.at(i, k) = sum == 0 ? 1.0 / static_cast<double>(out.cols) : out.at(i, k) / sum;
  }
  return {};
}

Calibration calibration_of(const State& state, std::size_t classes) {
  const auto& name = state.class_name();
  if (name == "SGDClassifier") {
    const auto loss = state.text_or("loss", "hinge");
    if (loss == "log_loss" || loss == "log") return Calibration::kLogistic;
    return loss == "modified_huber" ? Calibration::kModifiedHuber : Calibration::kNone;
  }
  if (name == "LinearDiscriminantAnalysis") return classes == 2 ? Calibration::kLogistic : Calibration::kSoftmax;
  if (name != "LogisticRegression" && name != "LogisticRegressionCV") return Calibration::kNone;
  // Until 1.7 multi_class chose; afterwards there is one way for two classes and one for more.
  const auto mode = state.text_or("multi_class", "auto");
  if (mode == "ovr" || mode == "warn") return Calibration::kLogistic;
  if (mode == "multinomial") return classes == 2 ? Calibration::kSoftmaxOfPair : Calibration::kSoftmax;
  const bool one_against_rest =
      classes == 2 || (state.has("multi_class") && state.text_or("solver", "") == "liblinear");
  return one_against_rest ? Calibration::kLogistic : Calibration::kSoftmax;
}

/// coef_ and intercept_, which stands for all outputs when it is one number.
Result<LinearForm> read_form(const State& state) {
  LinearForm form;
  TRY(form.weights, state.matrix("coef_"));
  if (state.has("intercept_")) {
    TRY(form.intercepts, state.numbers("intercept_"));
  } else {
    form.intercepts = {0};
  }
  if (form.intercepts.size() == 1) form.intercepts.assign(form.weights.rows, form.intercepts[0]);
  TRY_STATUS(state.expect(form.intercepts.size(), form.weights.rows, "intercept_"));
  return form;
}

bool has_log_link(const State& state) {
  const auto& name = state.class_name();
  if (name == "PoissonRegressor" || name == "GammaRegressor") return true;
  if (name != "TweedieRegressor") return false;
  const auto link = state.text_or("link", "auto");
  return link == "log" || (link == "auto" && state.number_or("power", 0) > 0);
}

}  // namespace

Result<EstimatorPtr> make_linear_regressor(const State& state) {
  TRY(auto form, read_form(state));
  TRY(auto facts, state.facts(form.weights.cols));
  TRY_STATUS(state.expect(form.weights, form.weights.rows, facts.inputs, "coef_"));
  facts.targets = form.weights.rows;
  TRY(const auto coefficients, state.get("coef_"));
  const auto shape = is_array(coefficients) ? read_array(coefficients) : Result<ArrayView>(ArrayView{});
  const auto dimensions = shape ? shape->shape.size() : 2;
  const auto bias = state.find("intercept_");
  const bool one_number = !is_array(bias) || (read_array(bias) && read_array(bias)->shape.empty());
  // Linear regression of a target [n, 1] answers [n, 1]; a flat target leaves flat weights, or a number as intercept.
  const bool column =
      dimensions >= 2 && !(facts.targets == 1 && one_number && state.class_name() != "LinearRegression");
  facts.flat = facts.targets == 1 && !column;
  return std::make_unique<LinearRegressor>(std::move(facts), std::move(form), has_log_link(state));
}

Result<EstimatorPtr> make_linear_outliers(const State& state) {
  LinearForm form;
  TRY(form.weights, state.matrix("coef_"));
  TRY(form.intercepts, state.numbers("offset_"));
  TRY(auto facts, state.facts(form.weights.cols));
  TRY_STATUS(state.expect(form.weights, 1, facts.inputs, "coef_"));
  TRY_STATUS(state.expect(form.intercepts.size(), 1, "offset_"));
  form.intercepts[0] = -form.intercepts[0];
  facts.targets = 1;
  facts.whole_numbers = true;
  facts.decision_columns = 1;
  return std::make_unique<LinearOutliers>(std::move(facts), std::move(form));
}

Result<EstimatorPtr> make_linear_classifier(const State& state) {
  TRY(auto form, read_form(state));
  TRY(auto facts, state.facts(form.weights.cols));
  TRY_STATUS(state.expect(form.weights, form.weights.rows, facts.inputs, "coef_"));
  facts.classifies = true;
  facts.targets = 1;
  if (state.has("classes_")) {
    TRY(facts.labels, state.labels("classes_"));
  } else {  // RidgeClassifier: a property there, of its label binarizer
    TRY(const auto inner, State::of(state.find("_label_binarizer"), state.context()));
    TRY(facts.labels, inner.labels("classes_"));
    if (inner.text_or("y_type_", "").starts_with("multilabel")) return state.not_served("several labels at once");
  }
  const auto classes = facts.labels.size();
  TRY_STATUS(state.expect(form.weights, classes == 2 && form.weights.rows == 1 ? 1 : classes, facts.inputs, "coef_"));
  if (classes == 2 && form.weights.rows == 2) return state.refuse("'coef_' has two rows for two classes");
  const auto calibration = calibration_of(state, classes);
  facts.decision_columns = form.weights.rows;
  facts.probability_columns = calibration == Calibration::kNone ? 0 : classes;
  facts.rule = PredictRule::kDecision;
  return std::make_unique<LinearClassifier>(std::move(facts), std::move(form), calibration);
}

}  // namespace protean::sklearn
