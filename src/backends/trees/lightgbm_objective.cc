// SPDX-License-Identifier: Apache-2.0
// One row an objective, then its options.
#include "backends/trees/lightgbm_objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "backends/trees/numbers.h"
#include "base/text.h"

namespace protean {
namespace {

struct Objective {
  std::string_view name;
  Link link;
  bool classification = false;
};

constexpr std::array<Objective, 19> kObjectives = {{
    {"regression", Link::kIdentity},
    {"regression_l1", Link::kIdentity},
    {"regression_l2", Link::kIdentity},
    {"huber", Link::kIdentity},
    {"fair", Link::kIdentity},
    {"quantile", Link::kIdentity},
    {"mape", Link::kIdentity},
    {"poisson", Link::kExp},
    {"gamma", Link::kExp},
    {"tweedie", Link::kExp},
    {"binary", Link::kSigmoid, true},
    {"multiclass", Link::kSoftmax, true},
    {"multiclassova", Link::kSigmoid, true},
    {"cross_entropy", Link::kSigmoid},
    {"xentropy", Link::kSigmoid},
    {"cross_entropy_lambda", Link::kSoftplus},
    {"xentlambda", Link::kSoftplus},
    {"lambdarank", Link::kIdentity},
    {"rank_xendcg", Link::kIdentity},
}};

}  // namespace

Status apply_lightgbm_objective(std::string_view objective, TreeModelSpec& model) {
  model.flat = model.ensemble.outputs == 1;
  const auto words = split(objective, ' ');
  if (words.empty() || words[0] == "custom" || words[0] == "none") return {};
  const auto* known =
      std::find_if(kObjectives.begin(), kObjectives.end(), [&](const Objective& one) { return one.name == words[0]; });
  if (known == kObjectives.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("objective '{}' is none of LightGBM's that are known here", printable(words[0])));
  }
  model.link = known->link;
  model.classification = known->classification;
  model.probability_link = known->link;
  for (const auto word : words) {
    if (word == "sqrt" && model.link == Link::kIdentity) model.link = Link::kSignedSquare;
    if (!word.starts_with("sigmoid:")) continue;
    const auto factor = parse_double(word.substr(word.find(':') + 1));
    if (!factor || !std::isfinite(*factor)) {
      return fail(Code::kInvalidArgument, fmt::format("objective '{}': not a factor", printable(objective)));
    }
    model.link_factor = *factor;
  }
  return {};
}

}  // namespace protean
