// SPDX-License-Identifier: Apache-2.0
// What a worker answers is checked against the signature here, for it may be anything.
#include "backends/python/python_model.h"

#include <utility>

namespace protean::python {
namespace {

/// Tensors of an explanation, and the names after them.
constexpr std::size_t kExplanationTensors = 3;

bool fits(const TensorSpec& spec, const Shape& shape) noexcept {
  if (spec.any_rank) return true;
  if (shape.size() != spec.shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (spec.shape[i] != -1 && spec.shape[i] != shape[i]) return false;
  }
  return true;
}

tl::unexpected<Error> wrong_answer(const std::string& found, const std::string& expected) {
  return fail(Code::kInternal, "the model answered " + found + ", expected " + expected);
}

Status check_output(const TensorSpec& spec, const Tensor& tensor) {
  if (tensor.type == spec.type && fits(spec, tensor.shape)) return {};
  return fail(Code::kInternal, "output '" + spec.name + "': " + std::string(data_type_name(tensor.type)) + " " +
                                   format_shape(tensor.shape) + ", expected " + std::string(data_type_name(spec.type)) +
                                   " " + (spec.any_rank ? "of any shape" : format_shape(spec.shape)));
}

Status check_contributions(const Contributions& found) {
  const auto features = static_cast<std::int64_t>(found.features.size());
  const auto outputs = static_cast<std::int64_t>(found.outputs.size());
  for (const auto* tensor : {&found.base, &found.values, &found.totals}) {
    if (tensor->type != DataType::kFp64) return wrong_answer("contributions that are not FP64", "FP64");
  }
  const bool right = found.base.shape == Shape{outputs} && found.totals.shape.size() == 2 &&
                     found.values.shape == Shape{found.totals.shape[0], features, outputs} &&
                     found.totals.shape[1] == outputs;
  if (right) return {};
  return wrong_answer("contributions of shapes " + format_shape(found.base.shape) + ", " +
                          format_shape(found.values.shape) + ", " + format_shape(found.totals.shape),
                      "[outputs], [rows, features, outputs] and [rows, outputs] for " + std::to_string(features) +
                          " features and " + std::to_string(outputs) + " outputs");
}

}  // namespace

PythonModel::PythonModel(std::unique_ptr<WorkerPool> pool, Duration run_time_max, std::vector<std::string> notes)
    : pool_(std::move(pool)), run_time_max_(run_time_max), notes_(std::move(notes)) {}

std::uint32_t PythonModel::remote_runs() const noexcept { return static_cast<std::uint32_t>(pool_->size()); }

Result<std::vector<AnswerTensor>> PythonModel::ask(const WorkerRequest& request, const std::stop_token& cancel) {
  const TimePoint deadline = Clock::system().now() + run_time_max_;
  TRY(auto lease, pool_->take(deadline));
  auto answer = lease.exchange(request, {deadline, cancel});
  if (!answer && answer.error().code == Code::kDeadlineExceeded) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(run_time_max_).count();
    answer.error().message += " after " + std::to_string(ms) + " ms";
  }
  return answer;
}

Result<std::vector<Tensor>> PythonModel::run(const RunRequest& request) {
  if (request.parts != nullptr) return run_in_parts(request);
  TRY(auto answer, ask({Op::kRun, request.inputs, request.outputs, request.request_id}, request.cancel));
  return outputs_of(std::move(answer), request);
}

Result<std::vector<Tensor>> PythonModel::run_in_parts(const RunRequest& request) {
  const TakePart take = [&](std::vector<AnswerTensor> part) -> Status {
    TRY(auto outputs, outputs_of(std::move(part), request));
    return request.parts->part(std::move(outputs));
  };
  TRY(const auto rest, ask({Op::kRunParts, request.inputs, request.outputs, request.request_id, take}, request.cancel));
  if (!rest.empty()) return wrong_answer(std::to_string(rest.size()) + " outputs after its last part", "none");
  return std::vector<Tensor>();
}

Result<std::vector<Tensor>> PythonModel::outputs_of(std::vector<AnswerTensor> answer, const RunRequest& request) const {
  if (answer.size() != request.outputs.size()) {
    return wrong_answer(std::to_string(answer.size()) + " outputs", std::to_string(request.outputs.size()));
  }
  std::vector<Tensor> outputs;
  outputs.reserve(answer.size());
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const auto wanted = request.outputs[i];
    if (answer[i].index != wanted) {
      return wrong_answer("output " + std::to_string(answer[i].index), "output " + std::to_string(wanted));
    }
    TRY_STATUS(check_output(signature().outputs[wanted], answer[i].tensor));
    outputs.push_back(std::move(answer[i].tensor));
  }
  return outputs;
}

Result<Contributions> PythonModel::explain(const RunRequest& request) {
  if (!pool_->facts().explains || !request.background.empty()) return Model::explain(request);
  TRY(auto answer, ask({Op::kExplain, request.inputs, {}, request.request_id}, request.cancel));
  if (answer.size() != kExplanationTensors + 1) {
    return wrong_answer(std::to_string(answer.size()) + " tensors", std::to_string(kExplanationTensors + 1));
  }
  auto names = read_explanation_names(answer[kExplanationTensors].tensor.data.bytes);
  if (!names) return wrong_answer("names that cannot be read", "those of features and outputs");
  Contributions contributions{std::move(names->method),   std::move(names->scale),     std::move(names->features),
                              std::move(names->outputs),  std::move(answer[0].tensor), std::move(answer[1].tensor),
                              std::move(answer[2].tensor)};
  TRY_STATUS(check_contributions(contributions));
  return contributions;
}

}  // namespace protean::python
