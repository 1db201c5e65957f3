// SPDX-License-Identifier: Apache-2.0
// All three requests have their examples in field 2.
#include "protocols/tensorflow_serving/grpc_examples.h"

#include <fmt/format.h>

#include <protozero/pbf_builder.hpp>
#include <set>

#include "base/text.h"
#include "core/model.h"
#include "protocols/tensorflow_serving/example_inputs.h"
#include "protocols/tensorflow_serving/example_list.h"
#include "protocols/tensorflow_serving/grpc_fields.h"

namespace protean::tfserving {
namespace {

/// Functions that one request may ask for.
constexpr std::size_t kTasksMax = 1024;

Result<InferenceTask> read_task(protozero::data_view view) {
  InferenceTask task;
  protozero::pbf_message<field::Task> fields(view);
  while (fields.next()) {
    const auto tag = fields.tag();
    const auto member = field::view(fields);
    if (!member) continue;
    if (tag == field::Task::kModelSpec) TRY_STATUS(read_model_spec(*member, task.spec));
    if (tag == field::Task::kMethodName) task.method = field::text(*member);
  }
  return task;
}

Status check_tasks(const std::vector<InferenceTask>& tasks) {
  std::set<std::string> functions;
  for (const auto& task : tasks) {
    if (task.spec.name.empty()) return fail(Code::kInvalidArgument, "Found ModelSpec with an empty model name.");
    if (task.spec.name != tasks.front().spec.name) {
      return fail(Code::kInvalidArgument, "All ModelSpecs in a MultiInferenceRequest must access the same model name.");
    }
    const std::string function = asked_for(task.spec).function;
    if (!functions.insert(function).second) {
      return fail(Code::kInvalidArgument, fmt::format("Duplicate evaluation of signature: {}", function));
    }
    if (task.method != kClassifyMethod && task.method != kRegressMethod) {
      return fail(Code::kUnimplemented, fmt::format("Unsupported signature method_name: {}", printable(task.method)));
    }
  }
  return {};
}

/// ClassificationResult or RegressionResult.
Result<std::string> write_result(const InferRequest& request, const InferResult& result, std::string_view method) {
  std::string bytes;
  protozero::pbf_builder<field::List> out(bytes);
  if (method == kRegressMethod) {
    TRY(const auto values, read_regressions(result));
    for (const float value : values) {
      std::string regression;
      if (value != 0) protozero::pbf_builder<field::List>(regression).add_float(field::List::kValue, value);
      out.add_message(field::List::kValue, regression);
    }
    return bytes;
  }
  TRY(const auto classes, read_classes(request, result));
  for (const auto& example : classes) {
    std::string row;
    protozero::pbf_builder<field::List> rows(row);
    for (const auto& [label, score] : example) {
      std::string one;
      protozero::pbf_builder<field::Class> fields(one);
      if (!label.empty()) fields.add_string(field::Class::kLabel, label);
      if (score != 0) fields.add_float(field::Class::kScore, score);
      rows.add_message(field::List::kValue, one);
    }
    out.add_message(field::List::kValue, row);
  }
  return bytes;
}

Response message_of(std::string bytes) {
  Response response;
  if (!bytes.empty()) response.body.push_back(Slice::of(std::move(bytes)));
  return response;
}

}  // namespace

Result<ModelSpec> decode_grpc_examples(const Slice& body) {
  return field::decoding<ModelSpec>("request", [&]() -> Result<ModelSpec> {
    std::optional<ModelSpec> spec;
    protozero::pbf_message<field::ExampleRequest> fields(field::whole(body));
    while (fields.next()) {
      const auto tag = fields.tag();
      const auto view = field::view(fields);
      if (!view || tag != field::ExampleRequest::kModelSpec) continue;
      if (!spec) spec.emplace();
      TRY_STATUS(read_model_spec(*view, *spec));
    }
    TRY_STATUS(check_model_spec(spec));
    return *std::move(spec);
  });
}

Result<std::vector<InferenceTask>> decode_grpc_tasks(const Slice& body) {
  return field::decoding<std::vector<InferenceTask>>("request", [&]() -> Result<std::vector<InferenceTask>> {
    std::vector<InferenceTask> tasks;
    protozero::pbf_message<field::MultiRequest> fields(field::whole(body));
    while (fields.next()) {
      const auto tag = fields.tag();
      const auto view = field::view(fields);
      if (!view || tag != field::MultiRequest::kTasks) continue;
      if (tasks.size() == kTasksMax) return fail(Code::kInvalidArgument, fmt::format("more than {} tasks", kTasksMax));
      TRY(InferenceTask task, read_task(*view));
      tasks.push_back(std::move(task));
    }
    if (tasks.empty()) return fail(Code::kInvalidArgument, "Missing ModelSpec");
    TRY_STATUS(check_tasks(tasks));
    return tasks;
  });
}

Status bind_grpc_examples(const Slice& body, const Signature& signature, std::string_view method, bool check_method,
                          InferRequest& request) {
  return field::decoding<void>("request", [&]() -> Status {
    TRY_STATUS(method == kRegressMethod ? choose_regression_output(signature, check_method, request)
                                        : choose_class_outputs(signature, check_method, request));
    protozero::data_view input;
    protozero::pbf_message<field::ExampleRequest> fields(field::whole(body));
    while (fields.next()) {
      const auto tag = fields.tag();
      const auto view = field::view(fields);
      if (view && tag == field::ExampleRequest::kInput) input = *view;
    }
    TRY(const ExampleList examples, read_input(input));
    return bind_examples(examples, signature, request);
  });
}

Result<Response> encode_grpc_examples(const InferRequest& request, const InferResult& result, std::string_view method) {
  TRY(const std::string inside, write_result(request, result, method));
  std::string bytes;
  protozero::pbf_builder<field::ExampleResponse> out(bytes);
  out.add_message(field::ExampleResponse::kResult, inside);
  out.add_message(field::ExampleResponse::kModelSpec, write_model_spec(result.model, result.version, request.function));
  return message_of(std::move(bytes));
}

Result<Response> encode_grpc_tasks(const std::vector<InferenceTask>& tasks, const std::vector<InferRequest>& requests,
                                   const std::vector<InferResult>& results) {
  std::string bytes;
  protozero::pbf_builder<field::List> out(bytes);
  for (std::size_t i = 0; i < std::min(tasks.size(), std::min(requests.size(), results.size())); ++i) {
    TRY(const std::string inside, write_result(requests[i], results[i], tasks[i].method));
    std::string one;
    protozero::pbf_builder<field::TaskResult> fields(one);
    fields.add_message(field::TaskResult::kModelSpec,
                       write_model_spec(results[i].model, results[i].version, requests[i].function));
    const bool regression = tasks[i].method == kRegressMethod;
    fields.add_message(regression ? field::TaskResult::kRegression : field::TaskResult::kClassification, inside);
    out.add_message(field::List::kValue, one);
  }
  return message_of(std::move(bytes));
}

}  // namespace protean::tfserving
