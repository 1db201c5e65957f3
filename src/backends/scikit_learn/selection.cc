// SPDX-License-Identifier: Apache-2.0
// Feature selection: each class decides in its own way which columns stay; then all do the same.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

class Selection final : public Estimator {
 public:
  Selection(EstimatorFacts facts, std::vector<std::size_t> kept)
      : Estimator(std::move(facts)), kept_(std::move(kept)) {}

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    out.numbers.reset(in.rows(), kept_.size());
    for (std::size_t i = 0; i < in.rows(); ++i) {
      for (std::size_t k = 0; k < kept_.size(); ++k) out.numbers.at(i, k) = in.numbers.at(i, kept_[k]);
    }
    return {};
  }
  const std::vector<std::size_t> kept_;
};

using Mask = std::vector<bool>;

Result<EstimatorPtr> finish(const State& state, const Mask& mask, Missing missing) {
  TRY(auto facts, state.facts(mask.size()));
  TRY_STATUS(state.expect(mask.size(), facts.inputs, "support"));
  std::vector<std::size_t> kept;
  for (std::size_t j = 0; j < mask.size(); ++j) {
    if (mask[j]) kept.push_back(j);
  }
  facts.outputs = kept.size();
  facts.missing = missing;
  return std::make_unique<Selection>(std::move(facts), std::move(kept));
}

/// Positions from the best score to the worst, the earlier first among equals when `stable_from_top`, as
/// argsort(-scores) has it; otherwise argsort(scores) read from its end.
std::vector<std::size_t> ranked(const std::vector<double>& scores, bool stable_from_top) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (stable_from_top) {
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  } else {
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] < scores[b]; });
    std::reverse(order.begin(), order.end());
  }
  return order;
}

Result<std::vector<double>> clean_scores(const State& state) {
  TRY(auto scores, state.numbers("scores_"));
  for (auto& s : scores) {
    if (std::isnan(s)) s = std::numeric_limits<double>::lowest();
  }
  return scores;
}

Result<Mask> best_k(const State& state, double k) {
  TRY(const auto scores, clean_scores(state));
  Mask mask(scores.size());
  const auto order = ranked(scores, false);
  for (std::size_t i = 0; i < order.size() && static_cast<double>(i) < k; ++i) mask[order[i]] = true;
  return mask;
}

double percentile(std::vector<double> values, double percent) {
  std::sort(values.begin(), values.end());
  const double at = percent / 100 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(std::floor(at));
  const auto high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (at - std::floor(at));
}

Result<Mask> best_percentile(const State& state, double percent) {
  TRY(const auto scores, clean_scores(state));
  Mask mask(scores.size(), percent == 100);
  if (percent == 100 || percent <= 0 || percent > 100 || scores.empty()) return mask;
  const double threshold = percentile(scores, 100 - percent);
  std::size_t count = 0;
  for (std::size_t j = 0; j < scores.size(); ++j) count += (mask[j] = scores[j] > threshold) ? 1 : 0;
  const auto room = static_cast<std::size_t>(static_cast<double>(scores.size()) * percent / 100);
  for (std::size_t j = 0; j < scores.size() && count < room; ++j) {
    if (scores[j] != threshold) continue;
    mask[j] = true;
    ++count;
  }
  return mask;
}

/// By p-values: below alpha (Fpr), below alpha / n (Fwe), or by Benjamini and Hochberg (Fdr).
Result<Mask> by_p_value(const State& state, std::string_view mode, double alpha) {
  TRY(const auto p, state.numbers("pvalues_"));
  double limit = alpha;
  const auto n = static_cast<double>(p.size());
  if (mode == "fwe") limit = alpha / n;
  if (mode == "fdr") {
    auto sorted = p;
    std::sort(sorted.begin(), sorted.end());
    limit = -1;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (sorted[i] <= alpha / n * static_cast<double>(i + 1)) limit = sorted[i];
    }
  }
  Mask mask(p.size());
  for (std::size_t j = 0; j < p.size(); ++j) mask[j] = mode == "fdr" ? p[j] <= limit : p[j] < limit;
  return mask;
}

Result<Mask> univariate(const State& state) {
  std::string mode = state.class_name();
  auto parameter = std::string_view("param");
  if (mode == "GenericUnivariateSelect") {
    mode = state.text_or("mode", "percentile");
  } else {
    parameter = mode == "SelectKBest" ? "k" : mode == "SelectPercentile" ? "percentile" : "alpha";
    mode = mode == "SelectKBest"        ? "k_best"
           : mode == "SelectPercentile" ? "percentile"
           : mode == "SelectFpr"        ? "fpr"
           : mode == "SelectFdr"        ? "fdr"
                                        : "fwe";
  }
  const bool all = state.find(parameter).equals("all");
  const double value = all ? std::numeric_limits<double>::infinity() : state.number_or(parameter, std::nan(""));
  if (std::isnan(value)) return state.refuse("'" + std::string(parameter) + "' is no number");
  if (mode == "k_best") return best_k(state, value);
  if (mode == "percentile") return best_percentile(state, value);
  return by_p_value(state, mode, value);
}

/// `mean`, `median`, `1.25*mean`, or a number.
Result<double> read_threshold(const State& state, const std::vector<double>& scores) {
  if (const auto number = read_number(state.find("threshold"))) return *number;
  const auto estimator = state.has("estimator_") ? state.find("estimator_") : state.find("estimator");
  const auto name = estimator.global_name();
  const double ratio = read_number(estimator.state().key(name.ends_with("CV") ? "l1_ratio_" : "l1_ratio")).value_or(0);
  const bool sparse_by_ratio = name.starts_with("ElasticNet") || name.starts_with("LogisticRegression");
  const bool l1 = estimator.state().key("penalty").equals("l1") || name.find("Lasso") != std::string_view::npos ||
                  (sparse_by_ratio && std::abs(ratio - 1) <= 1e-5);
  std::string text = state.text_or("threshold", l1 ? "1e-5" : "mean");
  if (text == "1e-5") return 1e-5;
  double scale = 1;
  if (const auto star = text.find('*'); star != std::string::npos) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + star, scale);
    if (error != std::errc()) return state.refuse("'threshold' is not understood");
    text = text.substr(text.find_first_not_of(' ', star + 1));
    static_cast<void>(end);
  }
  if (text.starts_with("mean")) {
    return scale * std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
  }
  if (text.starts_with("median")) return scale * percentile(scores, 50);
  return state.refuse("'threshold' is '" + text + "', expected mean or median");
}

}  // namespace

Result<EstimatorPtr> make_selection(const State& state) {
  if (state.class_name() == "VarianceThreshold") {
    TRY(const auto variances, state.numbers("variances_"));
    Mask mask(variances.size());
    for (std::size_t j = 0; j < mask.size(); ++j) mask[j] = variances[j] > state.number_or("threshold", 0);
    return finish(state, mask, Missing::kNanAllowed);
  }
  if (state.has("support_")) {  // RFE, RFECV, SequentialFeatureSelector
    TRY(const auto support, state.numbers("support_"));
    Mask mask(support.size());
    for (std::size_t j = 0; j < mask.size(); ++j) mask[j] = support[j] != 0;
    return finish(state, mask, Missing::kAnything);
  }
  TRY(const auto mask, univariate(state));
  return finish(state, mask, Missing::kRefused);
}

Result<EstimatorPtr> make_selection_from_model(const State& state) {
  if (!state.text_or("importance_getter", "auto").starts_with("auto")) {
    return state.not_served("an 'importance_getter' of its own is not served natively");
  }
  TRY(const auto estimator,
      make_estimator(state.has("estimator_") ? state.find("estimator_") : state.find("estimator"), state.context()));
  const auto scores = estimator->importances();
  if (scores.empty())
    return state.not_served("the importances of " + estimator->facts().class_name + " are not known here");
  if (state.has("norm_order") && state.number_or("norm_order", 1) != 1) {
    return state.not_served("a 'norm_order' other than 1 is not served natively");
  }
  TRY(const double threshold, read_threshold(state, scores));
  Mask mask(scores.size(), true);
  if (state.has("max_features")) {
    const double room = state.number_or("max_features_", state.number_or("max_features", -1));
    if (room < 0) return state.refuse("'max_features' is no number");
    const auto order = ranked(scores, true);
    for (std::size_t i = 0; i < order.size(); ++i) mask[order[i]] = static_cast<double>(i) < room;
  }
  for (std::size_t j = 0; j < mask.size(); ++j) mask[j] = mask[j] && !(scores[j] < threshold);
  return finish(state, mask, estimator->facts().missing);
}

}  // namespace protean::sklearn
