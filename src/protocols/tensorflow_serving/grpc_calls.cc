// SPDX-License-Identifier: Apache-2.0
// Operations keep no more than others need: what a reply repeats is read from the request once more.
#include "protocols/tensorflow_serving/grpc_calls.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "protocols/tensorflow_serving/errors.h"
#include "protocols/tensorflow_serving/grpc_examples.h"
#include "protocols/tensorflow_serving/grpc_predict.h"
#include "protocols/tensorflow_serving/reload.h"
#include "protocols/tensorflow_serving/status_messages.h"

namespace protean::tfserving {
namespace {

constexpr std::string_view kPrediction = "/tensorflow.serving.PredictionService/";
constexpr std::string_view kModel = "/tensorflow.serving.ModelService/";

constexpr std::array<std::pair<std::string_view, Method>, 7> kMethods = {{
    {"/tensorflow.serving.PredictionService/Predict", Method::kPredict},
    {"/tensorflow.serving.PredictionService/Classify", Method::kClassify},
    {"/tensorflow.serving.PredictionService/Regress", Method::kRegress},
    {"/tensorflow.serving.PredictionService/MultiInference", Method::kMultiInference},
    {"/tensorflow.serving.PredictionService/GetModelMetadata", Method::kGetModelMetadata},
    {"/tensorflow.serving.ModelService/GetModelStatus", Method::kGetModelStatus},
    {"/tensorflow.serving.ModelService/HandleReloadConfigRequest", Method::kReload},
}};

std::string_view method_name(Method method) noexcept {
  return method == Method::kRegress ? kRegressMethod : kClassifyMethod;
}

InferRequest infer_of(const ModelSpec& spec, TimePoint deadline) {
  InferRequest infer;
  set_model(infer, spec);
  infer.deadline = deadline;
  return infer;
}

Result<Operation> decode_predict(const RequestView& request) {
  TRY(PredictCall call, decode_grpc_predict(request.body));
  InferRequest infer = infer_of(call.spec, request.head.deadline);
  for (auto& output : call.outputs) infer.outputs.push_back({std::move(output), {}});
  return infer;
}

Result<Operation> decode_tasks(const RequestView& request) {
  TRY(const auto tasks, decode_grpc_tasks(request.body));
  InferManyRequest many;
  for (const auto& task : tasks) many.requests.push_back(infer_of(task.spec, request.head.deadline));
  return many;
}

Result<ModelSpec> spec_of(Method method, const Slice& body) {
  switch (method) {
    case Method::kPredict:
      return decode_grpc_predict(body).map([](PredictCall&& call) { return std::move(call.spec); });
    case Method::kClassify:
    case Method::kRegress: return decode_grpc_examples(body);
    case Method::kMultiInference: return decode_grpc_tasks(body).map([](auto&& tasks) { return tasks.front().spec; });
    case Method::kGetModelMetadata: return decode_metadata_request(body);
    case Method::kGetModelStatus: return decode_status_request(body);
    case Method::kReload: break;
  }
  return fail(Code::kUnimplemented, "no model is named");
}

Response message_of(std::string bytes) {
  Response response;
  if (!bytes.empty()) response.body.push_back(Slice::of(std::move(bytes)));
  return response;
}

/// The method of the task that asks for `function`.
Result<std::string> task_method(const Slice& body, const std::string& function) {
  TRY(const auto tasks, decode_grpc_tasks(body));
  const auto task =
      std::ranges::find_if(tasks, [&](const auto& one) { return asked_for(one.spec).function == function; });
  return task == tasks.end() ? std::string(kClassifyMethod) : task->method;
}

}  // namespace

bool is_service_path(std::string_view path) noexcept {
  return path.starts_with(kPrediction) || path.starts_with(kModel);
}

std::optional<Method> find_method(std::string_view path) noexcept {
  const auto found = std::ranges::find(kMethods, path, &std::pair<std::string_view, Method>::first);
  return found == kMethods.end() ? std::nullopt : std::optional(found->second);
}

std::string_view path_of(Method method) noexcept {
  return std::ranges::find(kMethods, method, &std::pair<std::string_view, Method>::second)->first;
}

Result<Operation> decode_grpc(const RequestView& request) {
  const auto method = find_method(request.head.path);
  if (!method) return fail(Code::kUnimplemented, "unknown method " + printable(request.head.path));
  switch (*method) {
    case Method::kPredict: return decode_predict(request);
    case Method::kMultiInference: return decode_tasks(request);
    case Method::kReload: {
      TRY(ReplaceModels replace, decode_reload(request.body));
      replace.actor = request.head.peer;
      return replace;
    }
    default: break;
  }
  TRY(const ModelSpec spec, spec_of(*method, request.body));
  if (*method == Method::kGetModelStatus) return ModelVersions{spec.name, version_text(spec)};
  if (*method == Method::kGetModelMetadata) return ModelMetadata{spec.name, version_text(spec)};
  return infer_of(spec, request.head.deadline);
}

Status bind_grpc(const RequestView& view, InferRequest& request, const Signature* signature,
                 const TensorflowServingOptions& options) {
  const auto method = find_method(view.head.path);
  if (signature == nullptr || !method) return {};
  if (*method == Method::kPredict) return bind_grpc_predict(view.body, *signature, request);
  std::string name(method_name(*method));
  if (*method == Method::kMultiInference) {
    TRY(name, task_method(view.body, request.function));
  }
  return bind_grpc_examples(view.body, *signature, name, options.check_method_names, request);
}

Result<Response> encode_grpc(const RequestView& view, const Operation& operation, const Outcome& outcome,
                             const TensorflowServingOptions& options) {
  const auto method = find_method(view.head.path);
  const auto* infer = std::get_if<InferRequest>(&operation);
  if (const auto* result = std::get_if<InferResult>(&outcome); result != nullptr && infer != nullptr && method) {
    return *method == Method::kPredict ? encode_grpc_predict(*infer, *result, options.tensor_content)
                                       : encode_grpc_examples(*infer, *result, method_name(*method));
  }
  if (const auto* results = std::get_if<std::vector<InferResult>>(&outcome)) {
    TRY(const auto tasks, decode_grpc_tasks(view.body));
    return encode_grpc_tasks(tasks, std::get<InferManyRequest>(operation).requests, *results);
  }
  if (const auto* versions = std::get_if<std::vector<VersionStatus>>(&outcome)) {
    return write_status(*versions).map(message_of);
  }
  if (const auto* info = std::get_if<ModelInfo>(&outcome)) return write_metadata(*info).map(message_of);
  if (std::holds_alternative<ReplaceModels>(operation)) return message_of(write_reload());
  return fail(Code::kInternal, "an outcome that does not answer the request");
}

Response encode_grpc_failure(const RequestView& view, const Error& error) {
  const auto method = find_method(view.head.path);
  if (error.reason.empty() || !method || *method == Method::kReload) return grpc_error(error);
  const auto spec = spec_of(*method, view.body);
  if (!spec) return grpc_error(error);
  const Asked asked = asked_for(*spec);
  const bool status = *method == Method::kGetModelStatus && !asked.label;
  return grpc_error(status ? status_error(error, asked) : in_their_words(error, asked, false));
}

}  // namespace protean::tfserving
