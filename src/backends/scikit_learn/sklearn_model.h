// SPDX-License-Identifier: Apache-2.0
// A fitted estimator as a Model: tensors become rows, answers become tensors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/scikit_learn/estimator.h"
#include "core/model.h"

namespace protean::sklearn {

/// Thread-safe.
class SklearnModel final : public Model {
 public:
  /// Errors: kInvalidArgument for an estimator that answers nothing that can be served.
  static Result<std::unique_ptr<Model>> make(EstimatorPtr estimator, std::vector<std::string> notes,
                                             ModelMemory memory);

  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  [[nodiscard]] Result<Contributions> explain(const RunRequest& request) override;
  [[nodiscard]] ModelMemory memory() const noexcept override { return memory_; }
  [[nodiscard]] std::vector<std::string> load_notes() const override { return notes_; }

 private:
  /// What an output of the signature is made from.
  enum class Answer : unsigned char { kPrediction, kProbabilities, kDecision, kTransformed };

  explicit SklearnModel(EstimatorPtr estimator) : estimator_(std::move(estimator)) {}
  [[nodiscard]] Status describe_inputs();
  [[nodiscard]] Status describe_outputs();
  void add_output(const char* name, TensorSpec spec, Answer answer);
  /// Rows first to first + count of the request.
  [[nodiscard]] Result<Frame> read_rows(const RunRequest& request, std::size_t first, std::size_t count) const;
  [[nodiscard]] Result<std::size_t> count_rows(const RunRequest& request) const;
  [[nodiscard]] Status answer_block(const RunRequest& request, const Frame& rows, std::vector<Matrix>& answers) const;
  [[nodiscard]] Result<Tensor> make_tensor(std::size_t output, const Matrix& values) const;
  [[nodiscard]] std::string feature_name(std::size_t column) const;
  [[nodiscard]] Result<Contributions> explain_trees(const class Grove& grove, const Matrix& rows) const;
  [[nodiscard]] Contributions explain_linear(const LinearForm& form, const Matrix& rows) const;
  void name_outputs(std::size_t count, Contributions& result) const;

  // Constant after make().
  const EstimatorPtr estimator_;
  Signature signature_;
  std::vector<Answer> answers_;
  std::vector<ColumnFacts> columns_;
  /// Of each input of the signature the column; of columns that nobody looks at there is no input.
  std::vector<std::size_t> input_columns_;
  bool one_matrix_ = true;
  std::vector<std::string> notes_;
  ModelMemory memory_;
};

}  // namespace protean::sklearn
