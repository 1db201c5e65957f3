// SPDX-License-Identifier: Apache-2.0
// What a fitted scikit-learn object is here: facts about its inputs and outputs, and the four things it may do to rows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/scikit_learn/matrix.h"
#include "base/result.h"
#include "core/data_type.h"

namespace protean::sklearn {

/// classes_ of a classifier. One of the lists is filled, by `type`: kInt64 and kBool `numbers`, kFp64 `reals`,
/// kBytes `texts`.
struct Labels {
  DataType type = DataType::kInt64;
  std::vector<std::int64_t> numbers;
  std::vector<double> reals;
  std::vector<std::string> texts;

  [[nodiscard]] std::size_t size() const noexcept { return numbers.size() + reals.size() + texts.size(); }
};

/// How predict() follows from the other answers, so that one of them suffices.
enum class PredictRule : unsigned char { kOwn, kLargestProbability, kDecision };
/// What of NaN and infinity an estimator lets in, as scikit-learn's validation does.
enum class Missing : unsigned char { kRefused, kNanAllowed, kAnything };
/// kUnknown: whatever it is passes through; for a model's inputs as good as a number.  kUnused: nobody looks at it.
enum class ColumnKind : unsigned char { kUnknown, kNumber, kText, kUnused };

/// What a model says about one of its input columns. `categories`: the known texts, when only those are.
struct ColumnFacts {
  ColumnKind kind = ColumnKind::kUnknown;
  bool nullable = false;
  std::vector<std::string> categories;
};

/// `inputs`: columns taken.  `outputs`: columns of transform(), 0 when it is none.  `targets`: columns of predict(), 0
/// when it does not predict.  `flat`: predict() answers [rows] rather than [rows, 1].
/// `labels`: of a classifier: predict() answers positions in them.  `whole_numbers`: predict() answers integers that
/// are no classes (clusters).  `decision_columns`: 0 for none; 1 answers [rows].
struct EstimatorFacts {
  std::string class_name;
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::size_t targets = 0;
  bool flat = true;
  bool whole_numbers = false;
  bool classifies = false;
  Labels labels;
  std::size_t probability_columns = 0;
  std::size_t decision_columns = 0;
  PredictRule rule = PredictRule::kOwn;
  Missing missing = Missing::kRefused;
  std::vector<std::string> input_names;
};

/// prediction column k = intercepts[k] + sum over j of weights[k, j] * x[j].
struct LinearForm {
  Matrix weights;
  std::vector<double> intercepts;
};

class Estimator;
using EstimatorPtr = std::unique_ptr<const Estimator>;

/// Immutable after construction: thread-safe.  Outputs are made by the function; their old content is lost.
class Estimator {
 public:
  virtual ~Estimator() = default;
  Estimator(const Estimator&) = delete;
  Estimator& operator=(const Estimator&) = delete;

  [[nodiscard]] const EstimatorFacts& facts() const noexcept { return facts_; }
  /// One for each input. Numbers, unless overridden.
  [[nodiscard]] virtual std::vector<ColumnFacts> columns() const;

  /// Each checks columns and missing values first.
  /// Errors: kInvalidArgument for what scikit-learn refuses in a row (NaN, a category that is not known);
  /// kUnimplemented for what this estimator does not do.
  [[nodiscard]] Status transform(const Frame& in, Frame& out) const;
  [[nodiscard]] Status predict(const Frame& in, Matrix& out) const;
  [[nodiscard]] Status probabilities(const Frame& in, Matrix& out) const;
  [[nodiscard]] Status decision(const Frame& in, Matrix& out) const;

  /// How many numbers a row takes at most on its way through.
  [[nodiscard]] virtual std::size_t width() const { return facts_.inputs + facts_.outputs; }
  /// A pipeline's last step, before which prepare() has to be run; nullptr for others.
  [[nodiscard]] virtual const Estimator* last_step() const { return nullptr; }
  [[nodiscard]] virtual Status prepare(const Frame& in, Frame& out) const;
  /// Whether transform() is x * scale + offset, column by column; fills both.
  [[nodiscard]] virtual bool affine(std::vector<double>& scale, std::vector<double>& offset) const;
  /// Of a linear model; false for others.
  [[nodiscard]] virtual bool linear_form(LinearForm& form) const;
  /// Numbers that stand for the importance of each input (|coef_|, impurity); empty for most.
  [[nodiscard]] virtual std::vector<double> importances() const { return {}; }

 protected:
  explicit Estimator(EstimatorFacts facts) : facts_(std::move(facts)) {}

  [[nodiscard]] virtual Status do_transform(const Frame& in, Frame& out) const;
  /// By the rule, unless overridden.
  [[nodiscard]] virtual Status do_predict(const Frame& in, Matrix& out) const;
  [[nodiscard]] virtual Status do_probabilities(const Frame& in, Matrix& out) const;
  [[nodiscard]] virtual Status do_decision(const Frame& in, Matrix& out) const;

 private:
  [[nodiscard]] Status check(const Frame& in) const;

  const EstimatorFacts facts_;
};

/// Positions of classes from what `rule` says: the largest column, or for one column whether it is above zero.
void choose_classes(const Matrix& scores, Matrix& out);
/// In place, row by row, as scipy.special.softmax does.
void softmax_rows(Matrix& scores);
[[nodiscard]] double logistic(double x);
/// out = x * weights^T + intercepts (empty: none); weights: [outputs, columns of x].
void multiply(const Matrix& x, const Matrix& weights, const std::vector<double>& intercepts, Matrix& out);

}  // namespace protean::sklearn
