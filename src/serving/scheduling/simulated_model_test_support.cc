// SPDX-License-Identifier: Apache-2.0
// Rows are made and compared as plain integers, so that a mixed-up answer cannot look right by accident.
#include "serving/scheduling/simulated_model_test_support.h"

#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace protean::testing {
namespace {

using AskedRow = std::array<std::int64_t, 2>;     // request, row
using AnsweredRow = std::array<std::int64_t, 4>;  // model, load, request, row

template <typename Row>
Row row_at(const Tensor& tensor, std::int64_t index) {
  Row row;
  std::memcpy(row.data(), tensor.data.bytes.data() + static_cast<std::size_t>(index) * sizeof row, sizeof row);
  return row;
}

template <typename Row>
void put_row(Buffer& buffer, std::int64_t index, const Row& row) {
  std::memcpy(buffer.data() + static_cast<std::size_t>(index) * sizeof row, row.data(), sizeof row);
}

}  // namespace

std::shared_ptr<const Signature> simulated_signature() {
  static const auto signature = [] {
    Signature made;
    made.platform = "simulated";
    made.inputs = {{"x", DataType::kInt64, {-1, 2}, {}, false, false}};
    made.outputs = {{"y", DataType::kInt64, {-1, 4}, {}, false, false}};
    return std::make_shared<const Signature>(std::move(made));
  }();
  return signature;
}

Result<std::vector<Tensor>> SimulatedModel::run(const RunRequest& request) {
  const Tensor& input = *request.inputs.front();
  const std::int64_t rows = input.shape.front();
  rows_seen_max = std::max(rows_seen_max, static_cast<std::uint64_t>(rows));
  const Mishap mishap = std::exchange(next, Mishap::kNone);
  if (mishap == Mishap::kThrows) throw std::runtime_error("out of luck");
  if (mishap == Mishap::kFails) return fail(Code::kInternal, "the model failed");
  if (request.cancel.stop_requested()) return fail(Code::kCancelled, "stopped");
  Buffer data(static_cast<std::size_t>(rows) * sizeof(AnsweredRow));
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto asked = row_at<AskedRow>(input, i);
    put_row(data, i, AnsweredRow{stamp.model, stamp.load, asked[0], asked[1]});
  }
  return std::vector<Tensor>{{DataType::kInt64, {rows, 4}, std::move(data).share()}};
}

SimulatedCall::SimulatedCall(std::int64_t number_, std::int64_t rows_) : number(number_), rows(rows_) {
  Buffer data(static_cast<std::size_t>(rows) * sizeof(AskedRow));
  for (std::int64_t row = 0; row < rows; ++row) put_row(data, row, AskedRow{number, row});
  own.inputs.push_back({"x", {DataType::kInt64, {rows, 2}, std::move(data).share()}, {}});
  request = &own;
}

SimulatedCall::SimulatedCall(VersionHandle handle, std::int64_t number_, std::int64_t rows_)
    : SimulatedCall(number_, rows_) {
  bind(std::move(handle));
}

void SimulatedCall::bind(VersionHandle handle) {
  version = std::move(handle);
  ticket.checked = check_request(own, *version->signature, "").value();
}

void SimulatedCall::done(Result<InferResult> result, RunTimes) {
  ++answers;
  ok = result.has_value();
  if (!ok) code = result.error().code;
}

bool SimulatedCall::holds_own_rows(const std::vector<Tensor>& outputs) const {
  if (outputs.size() != 1 || outputs[0].shape != Shape{rows, 4}) return false;
  const auto stamp = static_cast<const SimulatedModel&>(*version->model).stamp;
  for (std::int64_t row = 0; row < rows; ++row) {
    if (row_at<AnsweredRow>(outputs[0], row) != AnsweredRow{stamp.model, stamp.load, number, row}) return false;
  }
  return true;
}

std::unique_ptr<LoadedVersion> make_simulated_version(std::string name, std::shared_ptr<const ModelConfig> config,
                                                      SimulatedModel::Stamp stamp) {
  auto version = std::make_unique<LoadedVersion>();
  version->model_name = std::move(name);
  version->version = 1;
  version->version_text = "1";
  version->signature = simulated_signature();
  version->model = std::make_unique<SimulatedModel>(stamp);
  version->metrics = shared_metrics();
  version->config = std::move(config);
  version->batch = {true, "rows are independent"};
  return version;
}

std::shared_ptr<ModelMetrics> shared_metrics() {
  static metrics::Registry registry;
  static const auto metrics = std::make_shared<ModelMetrics>(registry, "simulated", "1");
  return metrics;
}

}  // namespace protean::testing
