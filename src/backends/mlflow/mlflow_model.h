// SPDX-License-Identifier: Apache-2.0
// The model of a flavor behind MLflow's signature.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/model.h"

namespace protean {

/// Runs `inner`; inputs whose type MLflow's signature changed are cast to the inner model's on the way.
class MlflowModel final : public Model {
 public:
  MlflowModel(std::unique_ptr<Model> inner, Signature signature, std::vector<std::string> notes);

  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  [[nodiscard]] Result<Contributions> explain(const RunRequest& request) override;
  [[nodiscard]] std::uint32_t remote_runs() const noexcept override { return inner_->remote_runs(); }
  [[nodiscard]] ModelMemory memory() const noexcept override { return inner_->memory(); }
  [[nodiscard]] std::vector<std::string> load_notes() const override;

 private:
  const std::unique_ptr<Model> inner_;
  const Signature signature_;
  const std::vector<std::string> notes_;
  bool casts_ = false;
};

}  // namespace protean
