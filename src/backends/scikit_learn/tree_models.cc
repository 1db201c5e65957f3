// SPDX-License-Identifier: Apache-2.0
// Single trees, forests of them, and isolation forests.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/grove.h"

namespace protean::sklearn {
namespace {

class ForestClassifier final : public Grove {
 public:
  ForestClassifier(EstimatorFacts facts, TreeEnsemble ensemble, std::vector<double> importances)
      : Grove(std::move(facts), std::move(ensemble), std::move(importances)) {}
  std::string_view scale() const override { return "probability"; }

 private:
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    margins(in.numbers, out);
    return {};
  }
};

class ForestRegressor final : public Grove {
 public:
  ForestRegressor(EstimatorFacts facts, TreeEnsemble ensemble, std::vector<double> importances)
      : Grove(std::move(facts), std::move(ensemble), std::move(importances)) {}
  std::string_view scale() const override { return "prediction"; }

 private:
  Status do_predict(const Frame& in, Matrix& out) const override {
    margins(in.numbers, out);
    return {};
  }
};

/// Margins are average path lengths.
class IsolationForest final : public Grove {
 public:
  IsolationForest(EstimatorFacts facts, TreeEnsemble ensemble, double scale, double offset)
      : Grove(std::move(facts), std::move(ensemble), {}), scale_(scale), offset_(offset) {}

 private:
  Status do_decision(const Frame& in, Matrix& out) const override {
    margins(in.numbers, out);
    for (auto& depth : out.values) depth = -(scale_ == 0 ? 0.5 : std::exp2(-depth / scale_)) - offset_;
    return {};
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    TRY_STATUS(do_decision(in, out));
    for (auto& value : out.values) value = value < 0 ? -1 : 1;
    return {};
  }
  const double scale_;
  const double offset_;
};

bool is_classifier(const State& state) { return state.class_name().ends_with("Classifier"); }

/// NaN goes through trees of scikit-learn 1.3 and later; through extra trees since 1.6.
Missing missing_rule(const State& state, bool knows_missing) {
  if (!knows_missing) return Missing::kRefused;
  if (state.has("monotonic_cst")) return Missing::kRefused;
  if (!state.class_name().starts_with("Extra")) return Missing::kNanAllowed;
  const auto version = state.text_or("_sklearn_version", "");
  const bool old = version.starts_with("1.3") || version.starts_with("1.4") || version.starts_with("1.5");
  return old ? Missing::kRefused : Missing::kNanAllowed;
}

Result<EstimatorPtr> finish(const State& state, EnsembleSpec spec, std::vector<double> importances,
                            bool knows_missing) {
  TRY(auto facts, state.facts(spec.features));
  TRY_STATUS(state.expect(facts.inputs, spec.features, "n_features_in_"));
  facts.missing = missing_rule(state, knows_missing);
  facts.targets = is_classifier(state) ? 1 : spec.outputs;
  facts.flat = facts.targets == 1;
  if (is_classifier(state)) {
    facts.classifies = true;
    TRY(facts.labels, state.labels("classes_"));
    TRY_STATUS(state.expect(facts.labels.size(), spec.outputs, "classes_"));
    facts.probability_columns = spec.outputs;
    facts.rule = PredictRule::kLargestProbability;
  }
  TRY(auto ensemble, make_ensemble(std::move(spec)));
  if (facts.classifies) {
    return std::make_unique<ForestClassifier>(std::move(facts), std::move(ensemble), std::move(importances));
  }
  return std::make_unique<ForestRegressor>(std::move(facts), std::move(ensemble), std::move(importances));
}

}  // namespace

Result<EstimatorPtr> make_tree(const State& state) {
  TRY(auto parts, read_tree(state, is_classifier(state) ? LeafRule::kShares : LeafRule::kValues));
  EnsembleSpec spec;
  spec.features = static_cast<std::uint32_t>(parts.features);
  spec.outputs = static_cast<std::uint32_t>(parts.outputs);
  spec.base.assign(parts.outputs, 0);
  spec.trees.push_back(std::move(parts.spec));
  return finish(state, std::move(spec), std::move(parts.importances), parts.knows_missing);
}

Result<EstimatorPtr> make_forest(const State& state) {
  TRY(const auto list, state.get("estimators_"));
  if (!list.is(Kind::kList) || list.size() == 0) return state.refuse("'estimators_' is " + list.describe());
  EnsembleSpec spec;
  std::vector<double> importances;
  bool knows_missing = true;
  std::size_t grown = 0;
  for (std::size_t t = 0; t < list.size(); ++t) {
    TRY(const auto inner, State::of(list.item(t), state.context()));
    TRY(auto parts, read_tree(inner, is_classifier(state) ? LeafRule::kShares : LeafRule::kValues));
    if (t == 0) {
      spec.features = static_cast<std::uint32_t>(parts.features);
      spec.outputs = static_cast<std::uint32_t>(parts.outputs);
      importances.assign(parts.features, 0);
    }
    if (parts.features != spec.features || parts.outputs != spec.outputs)
      return state.refuse("its trees differ in shape");
    knows_missing = knows_missing && parts.knows_missing;
    // Trees that are a single leaf have no say in the importances.
    const bool single = parts.spec.nodes.size() == 1;
    grown += single ? 0 : 1;
    for (std::size_t j = 0; j < importances.size() && !single; ++j) importances[j] += parts.importances[j];
    spec.trees.push_back(std::move(parts.spec));
  }
  double sum = 0;
  for (auto& value : importances) sum += value /= static_cast<double>(std::max<std::size_t>(grown, 1));
  for (auto& value : importances) value = sum > 0 ? value / sum : 0;
  spec.base.assign(spec.outputs, 0);
  spec.divisor = static_cast<double>(spec.trees.size());
  return finish(state, std::move(spec), std::move(importances), knows_missing);
}

Result<EstimatorPtr> make_isolation_forest(const State& state) {
  TRY(const auto list, state.get("estimators_"));
  if (!list.is(Kind::kList) || list.size() == 0) return state.refuse("'estimators_' is " + list.describe());
  TRY(auto facts, state.facts());
  const auto features = state.find("estimators_features_");
  EnsembleSpec spec;
  spec.features = static_cast<std::uint32_t>(facts.inputs);
  spec.base = {0};
  spec.divisor = static_cast<double>(list.size());
  for (std::size_t t = 0; t < list.size(); ++t) {
    TRY(const auto inner, State::of(list.item(t), state.context()));
    TRY(auto parts, read_tree(inner, LeafRule::kPathLength));
    TRY(const auto columns, read_numbers(features.item(t), state.context()));
    for (auto& node : parts.spec.nodes) {
      if (node.test == SplitTest::kLeaf) continue;
      if (node.feature >= columns.size() || !(columns[node.feature] >= 0 && columns[node.feature] < 4e9)) {
        return state.refuse("'estimators_features_' is out of range");
      }
      node.feature = static_cast<std::uint32_t>(columns[node.feature]);
    }
    spec.trees.push_back(std::move(parts.spec));
  }
  TRY(const double samples, state.has("max_samples_") ? state.number("max_samples_") : state.number("_max_samples"));
  TRY(const double offset, state.number("offset_"));
  facts.targets = 1;
  facts.whole_numbers = true;
  facts.decision_columns = 1;
  facts.missing = state.class_name() == "IsolationForest" && state.has("_decision_path_lengths") ? Missing::kNanAllowed
                                                                                                 : Missing::kRefused;
  TRY(auto ensemble, make_ensemble(std::move(spec)));
  return std::make_unique<IsolationForest>(std::move(facts), std::move(ensemble), average_path_length(samples), offset);
}

}  // namespace protean::sklearn
