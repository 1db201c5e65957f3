// SPDX-License-Identifier: Apache-2.0
// The route is found anew in each step: it costs less than a place to keep it.
#include "protocols/tensorflow_serving/rest_calls.h"

#include <fmt/format.h>

#include <utility>

#include "core/model.h"
#include "protocols/tensorflow_serving/errors.h"
#include "protocols/tensorflow_serving/example_inputs.h"
#include "protocols/tensorflow_serving/example_list.h"
#include "protocols/tensorflow_serving/example_results.h"
#include "protocols/tensorflow_serving/json_predict.h"
#include "protocols/tensorflow_serving/json_response.h"
#include "protocols/tensorflow_serving/model_spec.h"
#include "protocols/tensorflow_serving/routes.h"
#include "protocols/tensorflow_serving/status_messages.h"

namespace protean::tfserving {
namespace {

Route route_of(const RequestHead& head) { return find_route(head.method, target_of(head)); }

Asked asked_for(const Route& route, const Operation* operation) {
  Asked asked{route.model, {}, {}, {}};
  if (!route.version.empty()) asked.version = route.version;
  if (!route.label.empty()) asked.label = route.label;
  const auto* infer = operation == nullptr ? nullptr : std::get_if<InferRequest>(operation);
  if (infer != nullptr) asked.function = infer->function;
  return asked;
}

/// What browsers ask before they let a page of another origin send a request.
Response answer_options(const RequestHead& head) {
  const std::string_view origin = head.headers.find("origin").value_or("");
  const bool known = origin.find("http://") != origin.npos || origin.find("https://") != origin.npos;
  Response response;
  response.status = known ? 200 : 400;
  return response;
}

Result<Operation> decode_infer(const RequestView& request, Route route, const TensorflowServingOptions& options) {
  InferRequest infer;
  infer.model = std::move(route.model);
  infer.version = route.label.empty() ? std::move(route.version) : version_of_label(route.label);
  infer.function = find_signature_name(request.body);
  if (infer.function.empty()) infer.function = kMainFunction;
  infer.deadline = request.head.deadline;
  if (options.rest_timeout.count() > 0) {
    infer.deadline = std::min(infer.deadline, request.head.received_at + options.rest_timeout);
  }
  return infer;
}

}  // namespace

Result<Operation> decode_rest(const RequestView& request, const TensorflowServingOptions& options) {
  Route route = route_of(request.head);
  switch (route.kind) {
    case RouteKind::kPredict:
    case RouteKind::kClassify:
    case RouteKind::kRegress: return decode_infer(request, std::move(route), options);
    case RouteKind::kStatus: return ModelVersions{std::move(route.model), std::move(route.version)};
    case RouteKind::kMetadata:
      return ModelMetadata{std::move(route.model),
                           route.label.empty() ? std::move(route.version) : version_of_label(route.label)};
    case RouteKind::kOptions: return Immediate{answer_options(request.head)};
    case RouteKind::kVersionTooLarge: return Immediate{make_response(400, "application/json", {})};
    case RouteKind::kUnnamed: return fail(Code::kInvalidArgument, "Missing model name in request.");
    default:
      return fail(Code::kInvalidArgument,
                  fmt::format("Malformed request: {} {}", request.head.method, target_of(request.head)));
  }
}

Status bind_rest(const RequestView& view, InferRequest& request, const Signature* signature,
                 const TensorflowServingOptions& options) {
  const RouteKind kind = route_of(view.head).kind;
  if (kind == RouteKind::kPredict) {
    return read_json_predict(view.body, options.json_depth_max, signature, request);
  }
  TRY(const ExampleList examples, read_json_examples(view.body, options.json_depth_max));
  if (signature == nullptr) return {};
  TRY_STATUS(kind == RouteKind::kRegress ? choose_regression_output(*signature, options.check_method_names, request)
                                         : choose_class_outputs(*signature, options.check_method_names, request));
  return bind_examples(examples, *signature, request);
}

Result<Response> encode_rest(const RequestView& view, const Operation& operation, const Outcome& outcome) {
  if (const auto* versions = std::get_if<std::vector<VersionStatus>>(&outcome)) {
    TRY(std::string json, write_json_status(*versions));
    return make_response(200, "application/json", Slice::of(std::move(json)));
  }
  if (const auto* info = std::get_if<ModelInfo>(&outcome)) {
    TRY(std::string json, write_json_metadata(*info));
    return make_response(200, "application/json", Slice::of(std::move(json)));
  }
  const auto* result = std::get_if<InferResult>(&outcome);
  const auto* infer = std::get_if<InferRequest>(&operation);
  if (result == nullptr || infer == nullptr) {
    return fail(Code::kInternal, "an outcome that does not answer the request");
  }
  switch (route_of(view.head).kind) {
    case RouteKind::kClassify: return read_classes(*infer, *result).and_then(encode_json_classes);
    case RouteKind::kRegress: return read_regressions(*result).and_then(encode_json_regressions);
    default: return encode_json_predict(*result, has_rows(view.body));
  }
}

Response encode_rest_failure(const RequestView& view, const Operation* operation, const Error& error) {
  const Route route = route_of(view.head);
  const Asked asked = asked_for(route, operation);
  Error told = route.kind == RouteKind::kStatus ? status_error(error, asked) : in_their_words(error, asked, true);
  if (error.reason == "no_function" && (route.kind == RouteKind::kClassify || route.kind == RouteKind::kRegress)) {
    told.message = fmt::format("No signature was found with the name: {}", asked.function);
  }
  return json_error(http_status(told.code), told.message);
}

}  // namespace protean::tfserving
