// SPDX-License-Identifier: Apache-2.0
// The model of a flavor behind MLflow's signature.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/mlflow/schema.h"
#include "core/model.h"

namespace protean {

/// The input behind all others by which a Python model gets the params, as JSON; clients do not see it.
inline constexpr std::string_view kParamsInput = "mlflow.params";

/// Runs `inner`; inputs whose type MLflow's signature changed are cast to the inner model's on the way, and `params`
/// are enforced.
class MlflowModel final : public Model {
 public:
  MlflowModel(std::unique_ptr<Model> inner, Signature signature, std::vector<SchemaParam> params,
              std::vector<std::string> notes);

  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  [[nodiscard]] Result<Contributions> explain(const RunRequest& request) override;
  [[nodiscard]] std::uint32_t remote_runs() const noexcept override { return inner_->remote_runs(); }
  [[nodiscard]] ModelMemory memory() const noexcept override { return inner_->memory(); }
  [[nodiscard]] std::vector<std::string> load_notes() const override;

 private:
  /// With the params, where the inner model takes them.  Errors: kInvalidArgument for params MLflow refuses.
  [[nodiscard]] Result<std::optional<Tensor>> params_tensor(const RunRequest& request) const;

  const std::unique_ptr<Model> inner_;
  const Signature signature_;
  const std::vector<SchemaParam> params_;
  const std::vector<std::string> notes_;
  bool casts_ = false;
  bool passes_params_ = false;
};

}  // namespace protean
