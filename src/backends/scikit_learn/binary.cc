// SPDX-License-Identifier: Apache-2.0
// Classifiers that others' two-class answers make: one class against the rest, and thresholds that are not the middle.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/members.h"

namespace protean::sklearn {
namespace {

/// The decision of a two-class model about its second class, or, for want of one, that class's probability.
Status second_class(const Estimator& estimator, const Frame& in, Matrix& out) {
  if (estimator.facts().decision_columns == 1) return estimator.decision(in, out);
  Matrix both;
  TRY_STATUS(estimator.probabilities(in, both));
  out.reset(both.rows, 1);
  for (std::size_t i = 0; i < both.rows; ++i) out.values[i] = both.at(i, 1);
  return {};
}

/// `members`: one for each class, or a single one for two.
class OneAgainstRest final : public Estimator {
 public:
  OneAgainstRest(EstimatorFacts facts, std::vector<Member> members)
      : Estimator(std::move(facts)), members_(std::move(members)) {}
  std::vector<ColumnFacts> columns() const override { return members_.front().estimator->columns(); }

 private:
  template <typename Ask>
  Status side_by_side(const Frame& in, Matrix& out, Ask ask) const {
    out.reset(in.rows(), members_.size());
    Matrix one;
    for (std::size_t k = 0; k < members_.size(); ++k) {
      TRY_STATUS(ask(*members_[k].estimator, one));
      for (std::size_t i = 0; i < in.rows(); ++i) out.at(i, k) = one.at(i, one.cols - 1);
    }
    return {};
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    Matrix scores;
    TRY_STATUS(side_by_side(in, scores, [&](const Estimator& e, Matrix& one) { return second_class(e, in, one); }));
    if (members_.size() > 1) {
      choose_classes(scores, out);
      return {};
    }
    const double threshold = members_.front().estimator->facts().decision_columns > 0 ? 0 : 0.5;
    out.reset(in.rows(), 1);
    for (std::size_t i = 0; i < in.rows(); ++i) out.values[i] = scores.values[i] > threshold ? 1 : 0;
    return {};
  }
  Status do_decision(const Frame& in, Matrix& out) const override {
    return side_by_side(in, out, [&](const Estimator& e, Matrix& one) { return e.decision(in, one); });
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    if (members_.size() == 1) return members_.front().estimator->probabilities(in, out);
    TRY_STATUS(side_by_side(in, out, [&](const Estimator& e, Matrix& one) { return e.probabilities(in, one); }));
    for (std::size_t i = 0; i < out.rows; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < out.cols; ++k) sum += out.at(i, k);
      for (std::size_t k = 0; k < out.cols && sum != 0; ++k) out.at(i, k) /= sum;
    }
    return {};
  }
  const std::vector<Member> members_;
};

/// `chosen`: the class that a score of at least `threshold` stands for.
struct Threshold {
  double threshold = 0;
  bool by_probability = true;
  std::size_t chosen = 1;
};

class Thresholded final : public Estimator {
 public:
  Thresholded(EstimatorFacts facts, EstimatorPtr inner, Threshold rule)
      : Estimator(std::move(facts)), inner_(std::move(inner)), rule_(rule) {}
  std::vector<ColumnFacts> columns() const override { return inner_->columns(); }

 private:
  Status do_predict(const Frame& in, Matrix& out) const override {
    Matrix scores;
    TRY_STATUS(rule_.by_probability ? inner_->probabilities(in, scores) : inner_->decision(in, scores));
    out.reset(in.rows(), 1);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      const double decision = rule_.chosen == 1 ? scores.values[i * scores.cols] : -scores.values[i * scores.cols];
      const double score = rule_.by_probability ? scores.at(i, rule_.chosen) : decision;
      out.values[i] = static_cast<double>(score >= rule_.threshold ? rule_.chosen : 1 - rule_.chosen);
    }
    return {};
  }
  Status do_decision(const Frame& in, Matrix& out) const override { return inner_->decision(in, out); }
  Status do_probabilities(const Frame& in, Matrix& out) const override { return inner_->probabilities(in, out); }
  const EstimatorPtr inner_;
  const Threshold rule_;
};

/// The position of a label that stands in the file; nullopt when it is none of them.
std::optional<std::size_t> position_of(const Labels& labels, const Value& label) {
  const auto text = read_text(label);
  const auto number =
      label.is(Kind::kBool) ? std::optional<double>(static_cast<double>(label.node().integer)) : read_number(label);
  for (std::size_t k = 0; k < labels.size(); ++k) {
    if (!labels.texts.empty() && text == labels.texts[k]) return k;
    if (!labels.numbers.empty() && number == static_cast<double>(labels.numbers[k])) return k;
    if (!labels.reals.empty() && number == labels.reals[k]) return k;
  }
  return std::nullopt;
}

/// Which class the threshold of a tuned model is about: what its score function was told, or that function's default.
Result<std::size_t> tuned_class(const State& state, const Labels& labels) {
  const auto scorer = state.find("_curve_scorer").state();
  const auto told = scorer.key("_kwargs").key("pos_label");
  if (!told.is_none()) {
    if (const auto position = position_of(labels, told)) return *position;
    return state.refuse("its 'pos_label' is none of the classes");
  }
  constexpr std::string_view kDefaultOne[] = {"f1_score",        "fbeta_score",  "jaccard_score",
                                              "precision_score", "recall_score", "precision_recall_fscore_support"};
  const auto name = scorer.key("_score_func").global_name();
  const bool one = std::find(std::begin(kDefaultOne), std::end(kDefaultOne), name) != std::end(kDefaultOne);
  const bool first =
      one && ((!labels.numbers.empty() && labels.numbers[0] == 1) || (!labels.reals.empty() && labels.reals[0] == 1));
  return first ? 0 : 1;
}

}  // namespace

Result<EstimatorPtr> make_one_against_rest(const State& state) {
  TRY(const auto binarizer, State::of(state.find("label_binarizer_"), state.context()));
  if (binarizer.text_or("y_type_", "").starts_with("multilabel")) return state.not_served("several labels at once");
  TRY(auto members, read_members(state, "estimators_", nullptr));
  EstimatorFacts facts;
  facts.class_name = state.class_name();
  TRY(facts.labels, binarizer.labels("classes_"));
  const auto classes = facts.labels.size();
  TRY_STATUS(state.expect(members.size(), classes == 2 ? 1 : classes, "estimators_"));
  const auto& first = members.front().estimator->facts();
  facts.inputs = first.inputs;
  facts.input_names = first.input_names;
  bool decides = true;
  bool soft = true;
  for (const auto& member : members) {
    const auto& own = member.estimator->facts();
    if (own.inputs != facts.inputs) return state.refuse("its estimators take different columns");
    if (own.labels.size() != 2) return state.not_served("members that know another number of classes than two");
    decides = decides && own.decision_columns == 1;
    soft = soft && own.probability_columns == 2;
  }
  if (!decides && !soft) return state.refuse("its estimators have neither decisions nor probabilities");
  facts.decision_columns = decides ? members.size() : 0;
  facts.probability_columns = soft ? classes : 0;
  facts.classifies = true;
  facts.targets = 1;
  facts.missing = Missing::kAnything;
  return std::make_unique<OneAgainstRest>(std::move(facts), std::move(members));
}

Result<EstimatorPtr> make_threshold(const State& state) {
  TRY(auto inner,
      make_estimator(state.has("estimator_") ? state.find("estimator_") : state.find("estimator"), state.context()));
  EstimatorFacts facts = inner->facts();
  facts.class_name = state.class_name();
  facts.missing = Missing::kAnything;
  facts.rule = PredictRule::kOwn;
  facts.outputs = 0;
  if (!facts.classifies || facts.labels.size() != 2) return state.refuse("its estimator has not two classes");
  Threshold rule;
  const auto method = state.text_or("response_method", "auto");
  rule.by_probability = method == "predict_proba" || (method == "auto" && facts.probability_columns == 2);
  if (rule.by_probability ? facts.probability_columns != 2 : facts.decision_columns != 1) {
    return state.refuse("its estimator has no " + method);
  }
  if (state.class_name() == "TunedThresholdClassifierCV") {
    TRY(rule.threshold, state.number("best_threshold_"));
    TRY(rule.chosen, tuned_class(state, facts.labels));
  } else {
    rule.threshold = state.number_or("threshold", rule.by_probability ? 0.5 : 0);
    const auto told = state.find("pos_label");
    const auto position = told.is_none() ? 1 : position_of(facts.labels, told);
    if (!position) return state.refuse("its 'pos_label' is none of the classes");
    rule.chosen = *position;
  }
  return std::make_unique<Thresholded>(std::move(facts), std::move(inner), rule);
}

}  // namespace protean::sklearn
