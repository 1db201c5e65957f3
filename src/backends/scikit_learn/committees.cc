// SPDX-License-Identifier: Apache-2.0
// Estimators that ask several others and put the answers together: AdaBoost, bagging, voting, stacking.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/members.h"

namespace protean::sklearn {
namespace {

/// Stagewise additive modelling; `real`: SAMME.R, which scikit-learn had until 1.5.
class AdaBoostClassifier final : public Estimator {
 public:
  AdaBoostClassifier(EstimatorFacts facts, std::vector<Member> members, bool real)
      : Estimator(std::move(facts)), members_(std::move(members)), real_(real) {}

 private:
  Status scores(const Frame& in, Matrix& out) const;
  Status do_decision(const Frame& in, Matrix& out) const override {
    TRY_STATUS(scores(in, out));
    if (out.cols != 2) return {};
    const Matrix both = std::move(out);
    out.reset(both.rows, 1);
    for (std::size_t i = 0; i < both.rows; ++i) out.values[i] = both.at(i, 1) - both.at(i, 0);
    return {};
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    TRY_STATUS(do_decision(in, out));
    const auto classes = static_cast<double>(facts().labels.size());
    if (out.cols == 1) {
      const Matrix one = std::move(out);
      out.reset(one.rows, 2);
      for (std::size_t i = 0; i < one.rows; ++i) {
        out.at(i, 0) = -one.values[i] / 2;
        out.at(i, 1) = one.values[i] / 2;
      }
    } else {
      for (auto& value : out.values) value /= classes - 1;
    }
    softmax_rows(out);
    return {};
  }
  const std::vector<Member> members_;
  const bool real_;
};

Status AdaBoostClassifier::scores(const Frame& in, Matrix& out) const {
  const auto classes = facts().labels.size();
  const auto count = static_cast<double>(classes);
  out.reset(in.rows(), classes);
  double total = 0;
  Matrix answer;
  for (const auto& member : members_) {
    total += real_ ? 1 : member.weight;
    TRY_STATUS(real_ ? member.probabilities(in, classes, answer) : member.classes(in, answer));
    for (std::size_t i = 0; i < in.rows(); ++i) {
      double mean = 0;
      for (std::size_t k = 0; real_ && k < classes; ++k) {
        answer.at(i, k) = std::log(std::max(answer.at(i, k), std::numeric_limits<double>::epsilon()));
        mean += answer.at(i, k) / count;
      }
      for (std::size_t k = 0; k < classes; ++k) {
        const bool chosen = !real_ && answer.values[i] == static_cast<double>(k);
        out.at(i, k) +=
            real_ ? (count - 1) * (answer.at(i, k) - mean) : (chosen ? member.weight : -member.weight / (count - 1));
      }
    }
  }
  for (auto& value : out.values) value /= total;
  return {};
}

/// The weighted median of the members' answers.
class AdaBoostRegressor final : public Estimator {
 public:
  AdaBoostRegressor(EstimatorFacts facts, std::vector<Member> members)
      : Estimator(std::move(facts)), members_(std::move(members)) {}

 private:
  Status do_predict(const Frame& in, Matrix& out) const override {
    Matrix all(in.rows(), members_.size());
    Matrix answer;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      TRY_STATUS(members_[m].estimator->predict(in, answer));
      for (std::size_t i = 0; i < in.rows(); ++i) all.at(i, m) = answer.values[i];
    }
    out.reset(in.rows(), 1);
    std::vector<std::size_t> order(members_.size());
    for (std::size_t i = 0; i < in.rows(); ++i) {
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return all.at(i, a) < all.at(i, b); });
      double total = 0;
      for (const auto m : order) total += members_[m].weight;
      double sum = 0;
      for (const auto m : order) {
        sum += members_[m].weight;
        out.values[i] = all.at(i, m);
        if (sum >= 0.5 * total) break;
      }
    }
    return {};
  }
  const std::vector<Member> members_;
};

/// Means, weighted: bagging, voting. `hard`: classes are counted, not probabilities added.
class Average final : public Estimator {
 public:
  Average(EstimatorFacts facts, std::vector<Member> members, bool hard)
      : Estimator(std::move(facts)), members_(std::move(members)), hard_(hard) {}
  std::vector<ColumnFacts> columns() const override { return columns_of(members_, facts().inputs); }

 private:
  Status do_predict(const Frame& in, Matrix& out) const override {
    if (!facts().classifies) return mean(in, out, &Member::values);
    if (hard_) return votes(in, out);
    return Estimator::do_predict(in, out);
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    return mean(in, out, [this](const Member& member, const Frame& frame, Matrix& answer) {
      return member.probabilities(frame, facts().labels.size(), answer);
    });
  }
  Status do_decision(const Frame& in, Matrix& out) const override { return mean(in, out, &Member::decision); }

  template <typename Ask>
  Status mean(const Frame& in, Matrix& out, Ask ask) const {
    double total = 0;
    Matrix answer;
    for (const auto& member : members_) {
      TRY_STATUS(std::invoke(ask, member, in, answer));
      if (total == 0 && &member == &members_.front()) out.reset(answer.rows, answer.cols);
      if (answer.values.size() != out.values.size())
        return fail(Code::kInternal, facts().class_name + ": answers differ in shape");
      for (std::size_t i = 0; i < answer.values.size(); ++i) out.values[i] += member.weight * answer.values[i];
      total += member.weight;
    }
    for (auto& value : out.values) value /= total;
    return {};
  }
  Status votes(const Frame& in, Matrix& out) const {
    Matrix counts(in.rows(), facts().labels.size());
    Matrix answer;
    for (const auto& member : members_) {
      TRY_STATUS(member.classes(in, answer));
      for (std::size_t i = 0; i < in.rows(); ++i)
        counts.at(i, static_cast<std::size_t>(answer.values[i])) += member.weight;
    }
    choose_classes(counts, out);
    return {};
  }
  const std::vector<Member> members_;
  const bool hard_;
};

enum class Method : unsigned char { kPredict, kProbabilities, kDecision };

/// The members' answers (and the rows themselves when `passthrough`) are what the final estimator sees.
class Stacking final : public Estimator {
 public:
  struct Parts {
    std::vector<Member> members;
    std::vector<Method> methods;
    EstimatorPtr last;
    bool passthrough = false;
  };
  Stacking(EstimatorFacts facts, Parts parts) : Estimator(std::move(facts)), p_(std::move(parts)) {}
  std::vector<ColumnFacts> columns() const override { return columns_of(p_.members, facts().inputs); }

 private:
  Status gather(const Frame& in, Frame& out) const {
    std::vector<Matrix> answers(p_.members.size());
    std::size_t cols = p_.passthrough ? in.cols() : 0;
    for (std::size_t m = 0; m < answers.size(); ++m) {
      const auto& member = *p_.members[m].estimator;
      TRY_STATUS(p_.methods[m] == Method::kProbabilities ? member.probabilities(in, answers[m])
                 : p_.methods[m] == Method::kDecision    ? member.decision(in, answers[m])
                                                         : p_.members[m].labelled(in, answers[m]));
      cols += answers[m].cols - skipped(m, answers[m]);
    }
    out.texts.clear();
    out.numbers.reset(in.rows(), cols);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      double* place = out.numbers.row(i);
      for (std::size_t m = 0; m < answers.size(); ++m) {
        place = std::copy(answers[m].row(i) + skipped(m, answers[m]), answers[m].row(i) + answers[m].cols, place);
      }
      if (p_.passthrough) std::copy_n(in.numbers.row(i), in.cols(), place);
    }
    return {};
  }
  /// Of two probabilities that add up to 1 the first is left out.
  [[nodiscard]] std::size_t skipped(std::size_t m, const Matrix& answer) const {
    return p_.methods[m] == Method::kProbabilities && answer.cols == 2 ? 1 : 0;
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    Frame gathered;
    TRY_STATUS(gather(in, gathered));
    return p_.last->predict(gathered, out);
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    Frame gathered;
    TRY_STATUS(gather(in, gathered));
    return p_.last->probabilities(gathered, out);
  }
  Status do_decision(const Frame& in, Matrix& out) const override {
    Frame gathered;
    TRY_STATUS(gather(in, gathered));
    return p_.last->decision(gathered, out);
  }
  const Parts p_;
};

Status set_weights(const State& state, std::string_view name, std::vector<Member>& members) {
  if (!state.has(name)) return {};
  TRY(const auto weights, state.numbers(name));
  if (weights.size() < members.size()) return state.refuse("'" + std::string(name) + "' has too few weights");
  double total = 0;
  for (std::size_t m = 0; m < members.size(); ++m) total += members[m].weight = weights[m];
  if (!(total != 0)) return state.refuse("'" + std::string(name) + "' add up to nothing");
  return {};
}

/// Classes and what follows from them for a committee.
Status classify(const State& state, EstimatorFacts& facts) {
  TRY(facts.labels, state.labels("classes_"));
  facts.classifies = true;
  facts.probability_columns = facts.labels.size();
  facts.rule = PredictRule::kLargestProbability;
  return {};
}

bool is_classifier(const State& state) { return state.class_name().ends_with("Classifier"); }

}  // namespace

Result<EstimatorPtr> make_adaboost(const State& state) {
  TRY(auto facts, state.facts());
  facts.targets = 1;
  if (!is_classifier(state)) {
    TRY(auto members, read_members(state, "estimators_", nullptr));
    TRY_STATUS(set_weights(state, "estimator_weights_", members));
    facts.inputs = members.front().estimator->facts().inputs;
    return std::make_unique<AdaBoostRegressor>(std::move(facts), std::move(members));
  }
  TRY_STATUS(classify(state, facts));
  const auto classes = facts.labels.size();
  if (classes < 2) return state.refuse("'classes_' has fewer than two elements");
  facts.rule = PredictRule::kDecision;
  facts.decision_columns = classes == 2 ? 1 : classes;
  TRY(auto members, read_members(state, "estimators_", &facts.labels));
  TRY_STATUS(set_weights(state, "estimator_weights_", members));
  const bool real = state.text_or("algorithm", "SAMME") == "SAMME.R";
  return std::make_unique<AdaBoostClassifier>(std::move(facts), std::move(members), real);
}

Result<EstimatorPtr> make_bagging(const State& state) {
  TRY(auto facts, state.facts());
  facts.missing = Missing::kAnything;
  facts.targets = 1;
  Labels positions;
  if (is_classifier(state)) {
    TRY_STATUS(classify(state, facts));
    positions = encoded_labels(facts.labels.size());
  }
  TRY(auto members, read_members(state, "estimators_", facts.classifies ? &positions : nullptr));
  const auto columns = state.find("estimators_features_");
  TRY_STATUS(state.expect(columns.size(), members.size(), "estimators_features_"));
  bool decides = facts.classifies;
  for (std::size_t m = 0; m < members.size(); ++m) {
    TRY_STATUS(members[m].take_columns(columns.item(m), facts.inputs, state));
    decides = decides && members[m].estimator->facts().decision_columns > 0;
  }
  if (decides) facts.decision_columns = members.front().estimator->facts().decision_columns;
  if (!facts.classifies) {
    facts.targets = members.front().estimator->facts().targets;
    facts.flat = members.front().estimator->facts().flat;
  }
  return std::make_unique<Average>(std::move(facts), std::move(members), false);
}

Result<EstimatorPtr> make_voting(const State& state) {
  TRY(auto facts, state.facts(state.has("n_features_in_") ? 0 : 1));
  facts.missing = Missing::kAnything;
  facts.targets = 1;
  Labels positions;
  const bool hard = state.text_or("voting", "hard") == "hard";
  if (is_classifier(state)) {
    TRY_STATUS(classify(state, facts));
    positions = encoded_labels(facts.labels.size());
    if (hard) {
      facts.rule = PredictRule::kOwn;
      facts.probability_columns = 0;
    }
  }
  TRY(auto members, read_members(state, "estimators_", facts.classifies ? &positions : nullptr));
  if (state.has("weights")) {
    TRY(auto weights, state.numbers("weights"));
    const auto named = state.find("estimators");
    std::size_t used = 0;
    for (std::size_t n = 0; n < named.size() && n < weights.size(); ++n) {
      if (named.item(n).item(1).equals("drop") || used == members.size()) continue;
      members[used++].weight = weights[n];
    }
  }
  const auto& first = members.front().estimator->facts();
  if (!state.has("n_features_in_")) facts.inputs = first.inputs;
  if (facts.input_names.empty()) facts.input_names = first.input_names;
  for (const auto& member : members) {
    if (member.estimator->facts().inputs != facts.inputs) return state.refuse("its estimators take different columns");
  }
  return std::make_unique<Average>(std::move(facts), std::move(members), hard && facts.classifies);
}

Result<EstimatorPtr> make_stacking(const State& state) {
  Stacking::Parts parts;
  EstimatorFacts facts;
  TRY(const auto last_value, state.get("final_estimator_"));
  TRY(parts.last, make_estimator(last_value, state.context()));
  Labels positions;
  facts = parts.last->facts();
  facts.class_name = state.class_name();
  facts.missing = Missing::kAnything;
  facts.rule = PredictRule::kOwn;
  if (is_classifier(state)) {
    TRY(facts.labels, state.labels("classes_"));
    positions = encoded_labels(facts.labels.size());
    if (parts.last->facts().labels.numbers != positions.numbers)
      return state.refuse("its final estimator has other classes");
  }
  TRY(parts.members, read_members(state, "estimators_", is_classifier(state) ? &positions : nullptr));
  const auto methods = state.find("stack_method_");
  TRY_STATUS(state.expect(methods.size(), parts.members.size(), "stack_method_"));
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const auto name = methods.item(m).text();
    parts.methods.push_back(name == "predict_proba"       ? Method::kProbabilities
                            : name == "decision_function" ? Method::kDecision
                                                          : Method::kPredict);
  }
  parts.passthrough = state.flag_or("passthrough", false);
  facts.inputs = parts.members.front().estimator->facts().inputs;
  facts.input_names = parts.members.front().estimator->facts().input_names;
  for (const auto& member : parts.members) {
    if (member.estimator->facts().inputs != facts.inputs) return state.refuse("its estimators take different columns");
  }
  return std::make_unique<Stacking>(std::move(facts), std::move(parts));
}

}  // namespace protean::sklearn
