// SPDX-License-Identifier: Apache-2.0
// Cheap enough that a history of dozens of requests takes well below a millisecond.
#include "serving/scheduling/simulated_world_test_support.h"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace protean::testing {

std::uint64_t Random::next() noexcept {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

Duration Random::between(Duration low, Duration high) noexcept {
  return low + Duration(static_cast<Duration::rep>(below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

void SimulatedWorld::at(TimePoint when, std::function<void()> what) {
  events_.push({std::max(when, now_), ++order_, std::move(what)});
}

bool SimulatedWorld::step() {
  if (events_.empty()) return false;
  const Event event = events_.top();
  events_.pop();
  now_ = event.when;
  event.what();
  return true;
}

std::shared_ptr<const Signature> simulated_signature() {
  static const auto signature = [] {
    Signature made;
    made.platform = "simulated";
    made.inputs = {{"x", DataType::kInt64, {-1, 2}, {}, false, false}};
    made.outputs = {{"y", DataType::kInt64, {-1, 2}, {}, false, false}};
    return std::make_shared<const Signature>(std::move(made));
  }();
  return signature;
}

Result<std::vector<Tensor>> SimulatedModel::run(const RunRequest& request) {
  const Tensor& input = *request.inputs.front();
  rows_seen_max = std::max(rows_seen_max, static_cast<std::uint64_t>(input.shape.front()));
  const Mishap mishap = std::exchange(next, Mishap::kNone);
  if (mishap == Mishap::kThrows) throw std::runtime_error("out of luck");
  if (mishap == Mishap::kFails) return fail(Code::kInternal, "the model failed");
  return std::vector<Tensor>{input};
}

SimulatedCall::SimulatedCall(VersionHandle handle, std::int64_t number_, std::int64_t rows_)
    : number(number_), rows(rows_) {
  Buffer data(static_cast<std::size_t>(rows) * 2 * sizeof(std::int64_t));
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t values[] = {number, row};
    std::memcpy(data.data() + static_cast<std::size_t>(row) * sizeof values, values, sizeof values);
  }
  own.inputs.push_back({"x", {DataType::kInt64, {rows, 2}, std::move(data).share()}, {}});
  request = &own;
  version = std::move(handle);
  ticket.checked = check_request(own, *version->signature, "").value();
}

void SimulatedCall::done(Result<InferResult> result, RunTimes) {
  ++answers;
  ok = result.has_value();
  if (!ok) code = result.error().code;
}

bool SimulatedCall::holds_own_rows(const std::vector<Tensor>& outputs) const {
  if (outputs.size() != 1 || outputs[0].shape != Shape{rows, 2}) return false;
  return outputs[0].data.text() == own.inputs[0].tensor.data.text();
}

VersionHandle make_simulated_version(std::string name, std::shared_ptr<ModelMetrics> metrics,
                                     std::shared_ptr<const ModelConfig> config) {
  auto version = std::make_shared<LoadedVersion>();
  version->model_name = std::move(name);
  version->version = 1;
  version->version_text = "1";
  version->signature = simulated_signature();
  version->model = std::make_unique<SimulatedModel>();
  version->metrics = std::move(metrics);
  version->config = std::move(config);
  version->batch = {true, "rows are independent"};
  return version;
}

std::shared_ptr<ModelMetrics> shared_metrics() {
  static metrics::Registry registry;
  static const auto metrics = std::make_shared<ModelMetrics>(registry, "simulated", "1");
  return metrics;
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text, &end, 10);
  return end == text || *end != '\0' ? otherwise : value;
}

}  // namespace protean::testing
