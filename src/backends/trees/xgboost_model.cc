// SPDX-License-Identifier: Apache-2.0
// What each objective makes of its margins, and the margins' starting points.
#include "backends/trees/xgboost_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "backends/trees/numbers.h"
#include "base/text.h"

namespace protean {
namespace {

/// From a base score, which is a prediction, back to the margin.
enum class Start : unsigned char { kAsIs, kLogit, kLog };

struct Objective {
  std::string_view name;
  Link link;
  Start start;
  bool classification = false;
};

constexpr std::array<Objective, 26> kObjectives = {{
    {"reg:squarederror", Link::kIdentity, Start::kAsIs},
    {"reg:linear", Link::kIdentity, Start::kAsIs},
    {"reg:squaredlogerror", Link::kIdentity, Start::kAsIs},
    {"reg:pseudohubererror", Link::kIdentity, Start::kAsIs},
    {"reg:absoluteerror", Link::kIdentity, Start::kAsIs},
    {"reg:quantileerror", Link::kIdentity, Start::kAsIs},
    {"reg:expectileerror", Link::kIdentity, Start::kAsIs},
    {"reg:logistic", Link::kSigmoid, Start::kLogit},
    {"gpu:reg:linear", Link::kIdentity, Start::kAsIs},
    {"gpu:reg:logistic", Link::kSigmoid, Start::kLogit},
    {"gpu:binary:logistic", Link::kSigmoid, Start::kLogit, true},
    {"gpu:binary:logitraw", Link::kIdentity, Start::kAsIs, true},
    {"binary:logistic", Link::kSigmoid, Start::kLogit, true},
    {"binary:logitraw", Link::kIdentity, Start::kAsIs, true},
    {"binary:hinge", Link::kStep, Start::kAsIs},
    {"multi:softmax", Link::kArgMax, Start::kAsIs, true},
    {"multi:softprob", Link::kSoftmax, Start::kAsIs, true},
    {"count:poisson", Link::kExp, Start::kLog},
    {"reg:gamma", Link::kExp, Start::kLog},
    {"reg:tweedie", Link::kExp, Start::kLog},
    {"survival:cox", Link::kExp, Start::kLog},
    {"survival:aft", Link::kExpInDouble, Start::kLog},
    {"rank:pairwise", Link::kIdentity, Start::kAsIs},
    {"rank:ndcg", Link::kIdentity, Start::kAsIs},
    {"rank:map", Link::kIdentity, Start::kAsIs},
    {"reg:huber", Link::kIdentity, Start::kAsIs},
}};

float start_margin(Start start, float score) noexcept {
  switch (start) {
    case Start::kLogit: return -std::log(1.0F / score - 1.0F);
    case Start::kLog: return std::log(score);
    default: return score;
  }
}

/// How many of the trees predict: all, but for a file of the scikit-learn wrapper with early stopping.
std::size_t used_trees(const XgboostFacts& facts, std::size_t trees) {
  if (!facts.best_iteration) return trees;
  const auto end = *facts.best_iteration + 1;
  if (end < facts.iteration_ends.size()) return std::min<std::size_t>(trees, facts.iteration_ends[end]);
  if (!facts.iteration_ends.empty()) return trees;
  const std::uint64_t round = std::uint64_t{facts.outputs()} * facts.parallel_trees;
  return end > trees / round ? trees : static_cast<std::size_t>(end * round);
}

/// Takes gblinear's weights apart: a row a feature, and the row that is added to the base, in float. As in XGBoost
/// (3.2), the base is the first output's for all of them.
Status give_weights(const XgboostFacts& facts, TreeModelSpec& model) {
  const std::size_t outputs = facts.outputs();
  const std::size_t expected = (std::size_t{facts.features} + 1) * outputs;
  if (facts.weights.size() != expected || model.ensemble.base.size() != outputs) {
    return fail(Code::kInvalidArgument,
                fmt::format("gblinear has {} weights, expected {} of {} features and {} outputs", facts.weights.size(),
                            expected, facts.features, outputs));
  }
  const auto bias = std::span(facts.weights).last(outputs);
  const auto first = static_cast<float>(model.ensemble.base[0]);
  for (std::size_t k = 0; k < outputs; ++k) {
    model.ensemble.base[k] = static_cast<double>(bias[k] + first);
  }
  model.weights.assign(facts.weights.begin(), facts.weights.end() - static_cast<std::ptrdiff_t>(outputs));
  return {};
}

Status give_trees(const XgboostFacts& facts, std::vector<TreeSpec>& trees) {
  if (facts.groups.size() != trees.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("tree_info speaks of {} trees, but there are {}", facts.groups.size(), trees.size()));
  }
  if (!facts.drop_weights.empty() && facts.drop_weights.size() != trees.size()) {
    return fail(Code::kInvalidArgument, fmt::format("weight_drop has {} weights, but there are {} trees",
                                                    facts.drop_weights.size(), trees.size()));
  }
  for (std::size_t i = 0; i < trees.size(); ++i) {
    trees[i].output = facts.groups[i];
    if (!facts.drop_weights.empty()) trees[i].weight = static_cast<double>(facts.drop_weights[i]);
  }
  trees.resize(used_trees(facts, trees.size()));
  return {};
}

}  // namespace

Result<std::vector<float>> parse_base_scores(const std::string& text) {
  std::string_view list = trim(text);
  if (list.size() >= 2 && list.front() == '[' && list.back() == ']') list = list.substr(1, list.size() - 2);
  std::vector<float> scores;
  for (const auto item : split(list, ',')) {
    const auto number = parse_double(item);
    if (!number || !std::isfinite(*number) || std::fabs(*number) > 3e38) {
      return fail(Code::kInvalidArgument, fmt::format("base_score '{}', expected numbers", printable(text)));
    }
    scores.push_back(static_cast<float>(*number));
  }
  return scores;
}

Result<TreeModelSpec> finish_xgboost(XgboostFacts facts, std::vector<TreeSpec> trees) {
  const auto* objective = std::find_if(kObjectives.begin(), kObjectives.end(),
                                       [&](const Objective& known) { return known.name == facts.objective; });
  if (objective == kObjectives.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("objective '{}' is not one of XGBoost's own; save the model with the built-in one whose "
                            "predictions are meant",
                            printable(facts.objective)));
  }
  constexpr std::uint32_t kOutputsMax = 1U << 16;
  if (facts.outputs() > kOutputsMax) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} outputs (classes or targets), expected at most {}", facts.outputs(), kOutputsMax));
  }
  TRY_STATUS(give_trees(facts, trees));
  TreeModelSpec model;
  auto& ensemble = model.ensemble;
  ensemble.features = facts.features;
  ensemble.outputs = facts.outputs();
  ensemble.rows = RowType::kFloat32;
  ensemble.sums = SumType::kFloat32;
  if (facts.base_scores.size() == 1) facts.base_scores.resize(ensemble.outputs, facts.base_scores[0]);
  for (const auto score : facts.base_scores) {
    const float margin = facts.base_is_margin ? score : start_margin(objective->start, score);
    if (!std::isfinite(margin)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("base_score {} is none that {} can start from", score, facts.objective));
    }
    ensemble.base.push_back(static_cast<double>(margin));
  }
  model.summary = fmt::format("XGBoost{}{}, {}, {}", facts.version.empty() ? "" : " ", facts.version, facts.objective,
                              facts.weights.empty() ? fmt::format("{} trees", trees.size()) : "linear");
  if (!facts.weights.empty()) TRY_STATUS(give_weights(facts, model));
  ensemble.trees = std::move(trees);
  model.columns = std::move(facts.columns);
  model.notes = std::move(facts.notes);
  model.link = objective->link;
  model.classification = objective->classification;
  model.probability_link = ensemble.outputs > 1 && facts.classes > 1 ? Link::kSoftmax : Link::kSigmoid;
  model.flat = ensemble.outputs == 1 || objective->link == Link::kArgMax;
  return model;
}

}  // namespace protean
