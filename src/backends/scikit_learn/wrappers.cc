// SPDX-License-Identifier: Apache-2.0
// Estimators around one other: searches, calibration, transformed targets; and dummies, which ask nobody.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/members.h"

namespace protean::sklearn {
namespace {

/// One calibrator: 1 / (1 + exp(a d + b)), or steps joined by straight lines.
struct Curve {
  double a = 0;
  double b = 0;
  std::vector<double> x;
  std::vector<double> y;

  [[nodiscard]] double at(double d) const {
    if (x.empty()) return logistic(-(a * d + b));
    if (d <= x.front()) return y.front();
    if (d >= x.back()) return y.back();
    const auto i = static_cast<std::size_t>(std::upper_bound(x.begin(), x.end(), d) - x.begin());
    return y[i - 1] + (y[i] - y[i - 1]) * (d - x[i - 1]) / (x[i] - x[i - 1]);
  }
};

/// `by_probability`: the curves are of probabilities, for want of a decision function.
/// `sharpness`: in place of curves, what logits are multiplied with (temperature scaling).
struct CalibratedMember {
  Member member;
  std::vector<Curve> curves;
  std::optional<double> sharpness;
  bool by_probability = false;
};

class Calibrated final : public Estimator {
 public:
  Calibrated(EstimatorFacts facts, std::vector<CalibratedMember> members)
      : Estimator(std::move(facts)), members_(std::move(members)) {}
  std::vector<ColumnFacts> columns() const override { return members_.front().member.estimator->columns(); }

 private:
  Status add(const Frame& in, const CalibratedMember& one, Matrix& out) const {
    Matrix scores;
    const auto& inner = *one.member.estimator;
    TRY_STATUS(one.by_probability ? inner.probabilities(in, scores) : inner.decision(in, scores));
    const auto classes = out.cols;
    if (one.sharpness) {
      scale_logits(one, scores);
      for (std::size_t p = 0; p < scores.values.size(); ++p) {
        out.values[p] += scores.values[p] / static_cast<double>(members_.size());
      }
      return {};
    }
    std::vector<double> row(classes);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      std::fill(row.begin(), row.end(), 0);
      if (classes == 2) {
        row[1] = one.curves[0].at(scores.at(i, scores.cols - 1));
        row[0] = 1 - row[1];
      } else {
        double sum = 0;
        for (std::size_t k = 0; k < scores.cols; ++k)
          sum += row[one.member.position[k]] = one.curves[k].at(scores.at(i, k));
        for (auto& p : row) p = sum == 0 ? 1.0 / static_cast<double>(classes) : p / sum;
      }
      for (std::size_t k = 0; k < classes; ++k) out.at(i, k) += row[k] / static_cast<double>(members_.size());
    }
    return {};
  }
  /// Scores become probabilities, one for each class.
  static void scale_logits(const CalibratedMember& one, Matrix& scores) {
    if (scores.cols == 1) {
      const Matrix single = std::move(scores);
      scores.reset(single.rows, 2);
      for (std::size_t i = 0; i < single.rows; ++i) {
        scores.at(i, 0) = -single.values[i];
        scores.at(i, 1) = single.values[i];
      }
    }
    for (auto& value : scores.values) value = *one.sharpness * (one.by_probability ? std::log(value + 1e-12) : value);
    softmax_rows(scores);
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    out.reset(in.rows(), facts().labels.size());
    for (const auto& one : members_) TRY_STATUS(add(in, one, out));
    return {};
  }
  const std::vector<CalibratedMember> members_;
};

Result<Curve> read_curve(const Value& value, LoadContext& context) {
  TRY(const auto state, State::of(value, context));
  Curve curve;
  if (state.class_name() == "_SigmoidCalibration") {
    TRY(curve.a, state.number("a_"));
    TRY(curve.b, state.number("b_"));
    return curve;
  }
  if (state.class_name() != "IsotonicRegression")
    return state.not_served("this kind of calibration is not served natively");
  TRY(curve.x, state.numbers("X_thresholds_"));
  TRY(curve.y, state.numbers("y_thresholds_"));
  TRY_STATUS(state.expect(curve.y.size(), curve.x.size(), "y_thresholds_"));
  if (curve.x.empty() || !std::is_sorted(curve.x.begin(), curve.x.end()))
    return state.refuse("'X_thresholds_' are out of order");
  return curve;
}

class TransformedTarget final : public Estimator {
 public:
  using Function = double (*)(double);
  struct Parts {
    EstimatorPtr regressor;
    Function inverse = nullptr;
    std::vector<double> scale;  // inverse of y * scale + offset, column by column
    std::vector<double> offset;
  };
  TransformedTarget(EstimatorFacts facts, Parts parts) : Estimator(std::move(facts)), p_(std::move(parts)) {}
  std::vector<ColumnFacts> columns() const override { return p_.regressor->columns(); }

 private:
  Status do_predict(const Frame& in, Matrix& out) const override {
    TRY_STATUS(p_.regressor->predict(in, out));
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      auto& y = out.values[i];
      if (p_.inverse != nullptr) y = p_.inverse(y);
      if (!p_.scale.empty()) y = (y - p_.offset[i % out.cols]) / p_.scale[i % out.cols];
    }
    return {};
  }
  const Parts p_;
};

TransformedTarget::Function find_inverse(const Value& function) {
  if (!function.is(Kind::kGlobal) || !function.global_module().starts_with("numpy")) return nullptr;
  const auto name = function.global_name();
  if (name == "exp") return [](double x) { return std::exp(x); };
  if (name == "expm1") return [](double x) { return std::expm1(x); };
  if (name == "log") return [](double x) { return std::log(x); };
  if (name == "log1p") return [](double x) { return std::log1p(x); };
  if (name == "square") return [](double x) { return x * x; };
  if (name == "sqrt") return [](double x) { return std::sqrt(x); };
  return nullptr;
}

/// The same answer for every row.
class Dummy final : public Estimator {
 public:
  Dummy(EstimatorFacts facts, std::vector<double> prediction, std::vector<double> shares)
      : Estimator(std::move(facts)), prediction_(std::move(prediction)), shares_(std::move(shares)) {}

 private:
  static void repeat(const std::vector<double>& row, std::size_t rows, Matrix& out) {
    out.reset(rows, row.size());
    for (std::size_t i = 0; i < rows; ++i) std::copy(row.begin(), row.end(), out.row(i));
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    repeat(prediction_, in.rows(), out);
    return {};
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    repeat(shares_, in.rows(), out);
    return {};
  }
  const std::vector<double> prediction_;
  const std::vector<double> shares_;
};

Result<EstimatorPtr> make_dummy_classifier(const State& state, EstimatorFacts facts) {
  TRY(facts.labels, state.labels("classes_"));
  TRY(auto prior, state.numbers("class_prior_"));
  TRY_STATUS(state.expect(prior.size(), facts.labels.size(), "class_prior_"));
  const auto strategy = state.text_or("_strategy", state.text_or("strategy", "prior"));
  facts.classifies = true;
  facts.probability_columns = prior.size();
  auto chosen = static_cast<std::size_t>(std::max_element(prior.begin(), prior.end()) - prior.begin());
  if (strategy == "constant") {
    const auto constant = state.find("constant");
    for (std::size_t k = 0; k < prior.size(); ++k) {
      const bool same = facts.labels.type == DataType::kBytes ? read_text(constant) == facts.labels.texts[k]
                        : facts.labels.reals.empty()          ? read_integer(constant) == facts.labels.numbers[k]
                                                              : read_number(constant) == facts.labels.reals[k];
      if (same) chosen = k;
    }
  } else if (strategy != "prior" && strategy != "most_frequent") {
    return state.not_served("strategy '" + strategy + "', which draws lots, is not served");
  }
  if (strategy != "prior") {
    std::fill(prior.begin(), prior.end(), 0);
    prior[chosen] = 1;
  }
  return std::make_unique<Dummy>(std::move(facts), std::vector<double>{static_cast<double>(chosen)}, std::move(prior));
}

}  // namespace

Result<EstimatorPtr> make_search(const State& state) {
  TRY(const auto best, state.get("best_estimator_"));
  return make_estimator(best, state.context());
}

Result<EstimatorPtr> make_calibrated(const State& state) {
  TRY(const auto list, state.get("calibrated_classifiers_"));
  if (!list.is(Kind::kList) || list.size() == 0) return state.refuse("'calibrated_classifiers_' is " + list.describe());
  EstimatorFacts facts;
  facts.class_name = state.class_name();
  TRY(facts.labels, state.labels("classes_"));
  const auto classes = facts.labels.size();
  std::vector<CalibratedMember> members;
  for (std::size_t m = 0; m < list.size(); ++m) {
    TRY(const auto inner, State::of(list.item(m), state.context()));
    CalibratedMember one;
    const auto estimator = inner.has("estimator") ? inner.find("estimator") : inner.find("base_estimator");
    TRY(one.member.estimator, make_estimator(estimator, state.context()));
    const auto& own = one.member.estimator->facts();
    if (own.labels.size() != classes) return state.not_served("members that know only some of the classes");
    for (std::size_t k = 0; k < classes; ++k) one.member.position.push_back(k);
    one.by_probability = own.decision_columns == 0;
    const auto columns = one.by_probability ? own.probability_columns : own.decision_columns;
    if (columns != (classes == 2 ? (one.by_probability ? 2 : 1) : classes))
      return state.refuse("a member answers in another shape");
    const auto curves = inner.find("calibrators");
    if (inner.text_or("method", "") == "temperature") {
      TRY(const auto scaling, State::of(curves.item(0), state.context()));
      TRY(one.sharpness, scaling.number("beta_"));
    } else {
      TRY_STATUS(inner.expect(curves.size(), classes == 2 ? 1 : classes, "calibrators"));
    }
    for (std::size_t k = 0; k < curves.size() && !one.sharpness; ++k) {
      TRY(one.curves.emplace_back(), read_curve(curves.item(k), state.context()));
    }
    facts.inputs = own.inputs;
    facts.input_names = own.input_names;
    if (!members.empty() && members.front().member.estimator->facts().inputs != own.inputs) {
      return state.refuse("its members take different columns");
    }
    members.push_back(std::move(one));
  }
  facts.missing = Missing::kAnything;
  facts.classifies = true;
  facts.targets = 1;
  facts.probability_columns = classes;
  facts.rule = PredictRule::kLargestProbability;
  return std::make_unique<Calibrated>(std::move(facts), std::move(members));
}

Result<EstimatorPtr> make_transformed_target(const State& state) {
  TransformedTarget::Parts parts;
  TRY(const auto regressor, state.get("regressor_"));
  TRY(parts.regressor, make_estimator(regressor, state.context()));
  TRY(const auto transformer, State::of(state.find("transformer_"), state.context()));
  if (transformer.class_name() == "FunctionTransformer") {
    const auto inverse = transformer.find("inverse_func");
    parts.inverse = find_inverse(inverse);
    if (parts.inverse == nullptr && !inverse.is_none()) {
      return state.not_served("the inverse function " + inverse.describe() + " is not known here");
    }
  } else {
    TRY(const auto made, make_estimator(transformer.object(), state.context()));
    if (!made->affine(parts.scale, parts.offset) || parts.scale.size() != parts.regressor->facts().targets) {
      return state.not_served("the inverse of " + made->facts().class_name + " is not served natively");
    }
  }
  EstimatorFacts facts = parts.regressor->facts();
  facts.class_name = state.class_name();
  facts.missing = Missing::kAnything;
  facts.flat = state.number_or("_training_dim", 1) == 1;
  return std::make_unique<TransformedTarget>(std::move(facts), std::move(parts));
}

Result<EstimatorPtr> make_dummy(const State& state) {
  TRY(auto facts, state.facts());
  facts.missing = Missing::kAnything;
  facts.targets = 1;
  if (state.class_name() == "DummyClassifier") return make_dummy_classifier(state, std::move(facts));
  TRY(auto constant, state.numbers("constant_"));
  if (constant.empty()) return state.refuse("'constant_' is empty");
  facts.targets = constant.size();
  facts.flat = constant.size() == 1;
  return std::make_unique<Dummy>(std::move(facts), std::move(constant), std::vector<double>{});
}

}  // namespace protean::sklearn
