// SPDX-License-Identifier: Apache-2.0
// A tree ensemble as a Model: one matrix in; predictions out, and on request probabilities, margins, leaves and
// contributions.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backends/trees/tree_model_spec.h"
#include "backends/trees/tree_run.h"
#include "core/model.h"
#include "trees/tree_shap.h"

namespace protean {

/// Thread-safe.
class TreeModel final : public Model {
 public:
  /// Checks the ensemble. Errors: those of make_ensemble().
  [[nodiscard]] static Result<std::unique_ptr<TreeModel>> make(TreeModelSpec spec);

  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  /// Of the margins: path-dependent TreeSHAP, or interventional against `request.background`.
  [[nodiscard]] Result<Contributions> explain(const RunRequest& request) override;
  /// The trees, what is told about them, and, once contributions have been asked for, the tables of TreeSHAP.
  [[nodiscard]] ModelMemory memory() const noexcept override;
  [[nodiscard]] std::vector<std::string> load_notes() const override;

 private:
  TreeModel(TreeModelSpec spec, TreeEnsemble ensemble);
  enum class OutputKind : unsigned char { kPrediction, kMargin, kLeafIndex, kContributions, kProbabilities };

  Result<TreeRun> make_run(std::span<const Tensor* const> inputs) const;
  Result<Tensor> output(std::size_t index, TreeRun& run);
  /// Made when it is first asked for; many models never are.
  Result<const TreeShap*> shap();
  /// [rows, outputs, features + 1]; against the background's rows where there are any.
  Result<std::vector<double>> contributions(TreeRun& run, std::span<const Tensor* const> background);
  Result<TreeRun> wrap_inputs(std::span<const Tensor* const> inputs) const;
  void describe_outputs();

  const TreeModelSpec spec_;  // without the ensemble
  const TreeEnsemble ensemble_;
  const DataType number_;          // of predictions: the type that the library computes in
  Signature signature_;            // constant after construction
  std::vector<OutputKind> kinds_;  // of the signature's outputs
  std::once_flag shap_once_;
  std::optional<Result<TreeShap>> shap_;  // constant after shap_once_
  std::atomic<std::uint64_t> shap_bytes_ = 0;
  std::uint64_t description_bytes_ = 0;  // of spec_ and signature_; constant after construction
};

}  // namespace protean
