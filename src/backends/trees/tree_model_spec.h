// SPDX-License-Identifier: Apache-2.0
// What each reader of a file format makes, and the model is made from: an ensemble and what its numbers mean.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model.h"
#include "trees/ensemble.h"
#include "trees/transform.h"

namespace protean {

/// `platform`: for clients, such as `xgboost_json`.  `summary`: for people: `XGBoost 3.2.0, binary:logistic, 100
/// trees`. `notes`: what people should know besides. `columns`: empty where the file names none.  `link`: from margins
/// to `prediction`; where it is kArgMax and for classification, `probability_link` gives the probabilities (of both
/// classes where there is one margin). `hashed`: of CatBoost's categories, by feature: the hashes that are known, the
/// position of each being its number; no such features: empty. A model with any takes one input a column. `weights`:
/// of a model that is no ensemble but linear (XGBoost's gblinear): [features, outputs]; its margins are ensemble.base
/// plus the sum of weight times value over the features that are not missing, and there are no trees. `flat`:
/// predictions have no dimension for outputs.  `class_labels`: of a classification, in order, where known.
struct TreeModelSpec {
  std::string platform;
  std::string summary;
  std::vector<std::string> notes;
  EnsembleSpec ensemble;
  std::vector<Column> columns;
  Link link = Link::kIdentity;
  double link_factor = 1;
  bool classification = false;
  Link probability_link = Link::kIdentity;
  bool flat = true;
  std::vector<std::string> class_labels;
  std::vector<std::vector<std::uint32_t>> hashed;
  std::vector<float> weights = {};
};

}  // namespace protean
