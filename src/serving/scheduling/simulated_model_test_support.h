// SPDX-License-Identifier: Apache-2.0
// What simulations run: models whose every row says which load of which version answered which row of which request,
// and requests that count their answers and know their own rows. Nothing here knows threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/model_metrics.h"
#include "serving/loaded_version.h"
#include "serving/scheduling/infer_call.h"
#include "serving/simulation_test_support.h"

namespace protean::testing {

/// Of the simulated models: input INT64 [-1, 2], a row being (request, row); output INT64 [-1, 4], a row being
/// (model, load, request, row).
[[nodiscard]] std::shared_ptr<const Signature> simulated_signature();

/// Stamps each row; fails or throws when told to; a run that is stopped fails with kCancelled.
class SimulatedModel final : public Model {
 public:
  enum class Mishap : unsigned char { kNone, kFails, kThrows };
  struct Stamp {
    std::int64_t model = 0;
    std::int64_t load = 0;
  };

  explicit SimulatedModel(Stamp own_stamp) : stamp(own_stamp) {}
  [[nodiscard]] const Signature& signature() const noexcept override { return *signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

  const Stamp stamp;
  Mishap next = Mishap::kNone;  // of the next run
  std::uint64_t rows_seen_max = 0;

 private:
  std::shared_ptr<const Signature> signature_ = simulated_signature();
};

/// A request of `rows` rows that carries its number in each; notes how often and how it was answered.
class SimulatedCall final : public InferCall {
 public:
  SimulatedCall(std::int64_t number, std::int64_t rows);
  SimulatedCall(VersionHandle handle, std::int64_t number, std::int64_t rows);
  /// The version that answers it has been found.
  void bind(VersionHandle handle);

  [[nodiscard]] bool cancelled() const noexcept override { return left; }
  void on_cancel(std::function<void()> leave) override { on_leave = std::move(leave); }
  void done(Result<InferResult> result, RunTimes times) override;
  /// That the answer holds exactly this request's rows, in order, stamped by the version it was bound to.
  [[nodiscard]] bool holds_own_rows(const std::vector<Tensor>& outputs) const;

  InferRequest own;
  std::function<void()> on_leave;
  bool left = false;
  int answers = 0;
  bool ok = false;
  Code code = Code::kUnknown;
  std::int64_t turn = 0;  // among the requests that were queued
  const std::int64_t number;
  const std::int64_t rows;
};

/// A version with a simulated model, whose rows may share a run.
[[nodiscard]] std::unique_ptr<LoadedVersion> make_simulated_version(std::string name,
                                                                    std::shared_ptr<const ModelConfig> config,
                                                                    SimulatedModel::Stamp stamp = {});

/// Metrics of a registry that lives for ever.
[[nodiscard]] std::shared_ptr<ModelMetrics> shared_metrics();

}  // namespace protean::testing
