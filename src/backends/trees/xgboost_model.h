// SPDX-License-Identifier: Apache-2.0
// XGBoost models: the JSON of versions 1.0 to 3.2 and the same as UBJSON. The old binary format is in xgboost_binary.h
// and shares finish_xgboost().
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/trees/document.h"
#include "backends/trees/tree_model_spec.h"
#include "base/result.h"

namespace protean {

/// What an XGBoost file says besides its trees.  `base_scores`: as written, before the objective's link, unless
/// `base_is_margin`.
/// `groups`: the output of each tree.  `drop_weights`: DART's, one a tree, else empty.
/// `best_iteration`: of a file that the scikit-learn wrapper wrote, which predicts with the iterations up to that one.
/// `notes`: what people should know, for the model's status.
/// `iteration_ends`: where known, the number of trees after each iteration, beginning with 0.
/// `weights`: of gblinear, [features + 1, outputs], the last row what is added to the base; else empty.
struct XgboostFacts {
  std::string version;
  std::string objective;
  std::uint32_t features = 0;
  std::uint32_t classes = 0;
  std::uint32_t targets = 1;
  std::uint32_t parallel_trees = 1;
  std::vector<float> base_scores;
  bool base_is_margin = false;
  std::vector<std::uint32_t> groups;
  std::vector<float> drop_weights;
  std::optional<std::uint64_t> best_iteration;
  std::vector<std::uint64_t> iteration_ends;
  std::vector<Column> columns;
  std::vector<std::string> notes;
  std::vector<float> weights;

  [[nodiscard]] std::uint32_t outputs() const noexcept { return std::max({1U, classes, targets}); }
};

/// Objective, base scores and trees into one model.
/// Errors: kInvalidArgument for an objective that is not XGBoost's own, and facts that disagree with the trees.
[[nodiscard]] Result<TreeModelSpec> finish_xgboost(XgboostFacts facts, std::vector<TreeSpec> trees);

/// `"5E-1"` or `"[1E-1,2E-1]"`. Errors: kInvalidArgument.
[[nodiscard]] Result<std::vector<float>> parse_base_scores(const std::string& text);

/// The whole model of a document that parse_json() or parse_ubjson() made. `platform`: such as `xgboost_json`.
/// Errors: kInvalidArgument, saying what is missing, malformed or not supported (gblinear).
[[nodiscard]] Result<TreeModelSpec> read_xgboost(const Document& document, std::string platform);

}  // namespace protean
