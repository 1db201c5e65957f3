// SPDX-License-Identifier: Apache-2.0
// One estimator of a committee: which of the columns it sees, what it weighs, and how its classes are numbered there.
#pragma once

#include <vector>

#include "backends/scikit_learn/estimator.h"
#include "backends/scikit_learn/state.h"
#include "base/result.h"

namespace protean::sklearn {

/// `columns`: empty for all of them.  `position`: of each of its classes among the committee's.
struct Member {
  EstimatorPtr estimator;
  double weight = 1;
  std::vector<std::size_t> columns;
  std::vector<std::size_t> position;

  /// Positions among the committee's classes, [rows, 1].
  Status classes(const Frame& in, Matrix& out) const;
  /// [rows, classes of the committee]; by votes where the member has no probabilities.
  Status probabilities(const Frame& in, std::size_t classes, Matrix& out) const;
  Status decision(const Frame& in, Matrix& out) const;
  Status values(const Frame& in, Matrix& out) const;
  /// predict() as numbers: of a classifier its labels.
  Status labelled(const Frame& in, Matrix& out) const;
  /// Which of `inputs` columns it sees.  Errors: kInvalidArgument.
  Status take_columns(const Value& given, std::size_t inputs, const State& state);

 private:
  [[nodiscard]] Frame pick(const Frame& in) const;
};

/// The list `name` of fitted estimators, at least one.  `labels`: the committee's classes, nullptr for regression.
/// Errors: kInvalidArgument, also for members whose classes are not among `labels`.
[[nodiscard]] Result<std::vector<Member>> read_members(const State& state, std::string_view name, const Labels* labels);

/// What members that all see every column say about them together: texts where one reads texts, missing values only
/// where everybody takes them.
[[nodiscard]] std::vector<ColumnFacts> columns_of(const std::vector<Member>& members, std::size_t inputs);

/// 0 to count - 1: what members trained on encoded classes have.
[[nodiscard]] Labels encoded_labels(std::size_t count);

}  // namespace protean::sklearn
