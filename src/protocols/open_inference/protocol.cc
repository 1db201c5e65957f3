// SPDX-License-Identifier: Apache-2.0
// Chooses by wire and path: REST routes and gRPC methods become the same operations, and outcomes go back the way
// their requests came.
#include "protocols/open_inference/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "protocols/open_inference/event_stream.h"
#include "protocols/open_inference/grpc_request.h"
#include "protocols/open_inference/grpc_response.h"
#include "protocols/open_inference/json_request.h"
#include "protocols/open_inference/json_response.h"
#include "protocols/open_inference/limits.h"
#include "protocols/open_inference/routes.h"

namespace protean {
namespace {

constexpr std::string_view kServicePath = "/inference.GRPCInferenceService/";
constexpr std::array<std::string_view, 3> kExtensions = {"binary_tensor_data", "model_repository", "parameters"};

enum class Method : unsigned char {
  kServerLive,
  kServerReady,
  kModelReady,
  kServerMetadata,
  kModelMetadata,
  kModelInfer,
  kModelStreamInfer,
  kRepositoryIndex,
  kRepositoryModelLoad,
  kRepositoryModelUnload,
};

constexpr std::array<std::string_view, 10> kMethodNames = {
    "ServerLive", "ServerReady",      "ModelReady",      "ServerMetadata",      "ModelMetadata",
    "ModelInfer", "ModelStreamInfer", "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload",
};

std::optional<Method> find_method(std::string_view path) noexcept {
  const auto found = std::ranges::find(kMethodNames, path.substr(std::min(kServicePath.size(), path.size())));
  if (found == kMethodNames.end()) return std::nullopt;
  return static_cast<Method>(found - kMethodNames.begin());
}

/// HEAD is answered like GET; the transport leaves the body out.
bool method_fits(const Route& route, std::string_view method) noexcept {
  return method == route.method || (method == "HEAD" && route.method == "GET");
}

std::string_view allowed_methods(const Route& route) noexcept {
  return route.method == "GET" ? "GET, HEAD" : route.method;
}

/// The value of Inference-Header-Content-Length; nullopt when the header is absent.
Result<std::optional<std::size_t>> json_bytes(const HeaderList& headers) {
  constexpr std::string_view kName = "inference-header-content-length";
  const auto value = headers.find(kName);
  if (!value) return std::nullopt;
  const auto bytes = parse_uint64(trim(*value));
  if (!bytes) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("header Inference-Header-Content-Length is '{}', expected a number of bytes", printable(*value)));
  }
  return static_cast<std::size_t>(*bytes);
}

class OpenInference : public Protocol {
 public:
  explicit OpenInference(OpenInferenceOptions options) : options_(std::move(options)) {
    limits_.json_depth_max = std::clamp<std::size_t>(options_.json_depth_max, 8, 512);
    limits_.tensors_max = options_.tensors_max;
    limits_.parameters_max = options_.parameters_max;
  }

  [[nodiscard]] std::string_view id() const noexcept override { return "open_inference"; }

  [[nodiscard]] bool claims(const RequestHead& head) const noexcept override {
    if (head.wire == Wire::kGrpc) return head.path.starts_with(kServicePath);
    return head.path == "/v2" || head.path.starts_with("/v2/");
  }

  [[nodiscard]] BodyMode body_mode(const RequestHead& head) const noexcept override {
    const bool stream = head.wire == Wire::kGrpc && find_method(head.path) == Method::kModelStreamInfer;
    return stream ? BodyMode::kMessages : BodyMode::kWhole;
  }

  [[nodiscard]] Result<Operation> decode(const RequestView& request) const override {
    return request.head.wire == Wire::kGrpc ? decode_grpc(request) : decode_rest(request);
  }

  [[nodiscard]] Result<Response> encode(const RequestView& request, const Operation& operation,
                                        Outcome outcome) const override {
    return request.head.wire == Wire::kGrpc ? encode_grpc(request, operation, outcome)
                                            : encode_rest(request, operation, outcome);
  }

  [[nodiscard]] Result<Response> encode_part(const RequestView& request, const Operation& operation,
                                             InferResult part) const override {
    if (request.head.wire == Wire::kGrpc) return encode_grpc(request, operation, Outcome(std::move(part)));
    TRY(Response json, encode_json_infer(std::get<InferRequest>(operation), part));
    return as_event(std::move(json), {});
  }

  [[nodiscard]] Response encode_late_error(const RequestView& request, const Error& error) const override {
    Response json = encode_error(request, error);
    return request.head.wire == Wire::kGrpc ? json : as_event(std::move(json), "error");
  }

  [[nodiscard]] Response encode_error(const RequestView& request, const Error& error) const override {
    if (request.head.wire == Wire::kGrpc) return encode_grpc_error(error);
    const Route route = find_route(request.head.path);
    if (route.kind == RouteKind::kUnknown || method_fits(route, request.head.method)) {
      return encode_json_error(http_status(error.code), error.message);
    }
    Response response = encode_json_error(405, error.message);
    response.headers.emplace_back("allow", allowed_methods(route));
    return response;
  }

 private:
  Result<Operation> decode_rest(const RequestView& request) const {
    Route route = find_route(request.head.path);
    if (route.kind == RouteKind::kUnknown) {
      return fail(Code::kNotFound, fmt::format("no such path: {}", printable(request.head.path)));
    }
    if (!method_fits(route, request.head.method)) {
      return fail(Code::kUnimplemented,
                  fmt::format("method {}, expected {}", printable(request.head.method), allowed_methods(route)));
    }
    switch (route.kind) {
      case RouteKind::kInfer: return decode_rest_infer(request, std::move(route));
      case RouteKind::kInferStream: return decode_rest_stream(request, std::move(route));
      case RouteKind::kExplain: return decode_rest_explain(request, std::move(route));
      case RouteKind::kLive: return ServerLive{};
      case RouteKind::kReady: return ServerReady{};
      case RouteKind::kModels: return ListModels{};
      case RouteKind::kModelMetadata: return ModelMetadata{std::move(route.model), std::move(route.version)};
      case RouteKind::kModelReady: return ModelReady{std::move(route.model), std::move(route.version)};
      case RouteKind::kIndex: return decode_json_index(request.body, limits_);
      case RouteKind::kLoad:
        TRY_STATUS(check_json_repository_call(request.body, limits_));
        return LoadModel{std::move(route.model), request.head.peer};
      case RouteKind::kUnload:
        TRY_STATUS(check_json_repository_call(request.body, limits_));
        return UnloadModel{std::move(route.model), request.head.peer};
      default: return ServerMetadata{};
    }
  }

  Result<Operation> decode_rest_infer(const RequestView& request, Route route) const {
    TRY(const auto bytes, json_bytes(request.head.headers));
    TRY(InferRequest infer, decode_json_infer(request.body, bytes, limits_));
    TRY_STATUS(complete(infer, request, std::move(route)));
    return infer;
  }

  Result<Operation> decode_rest_stream(const RequestView& request, Route route) const {
    TRY(Operation operation, decode_rest_infer(request, std::move(route)));
    auto& infer = std::get<InferRequest>(operation);
    infer.stream = true;
    TRY_STATUS(refuse_binary_outputs(infer));
    return operation;
  }

  Result<Operation> decode_rest_explain(const RequestView& request, Route route) const {
    TRY(const auto bytes, json_bytes(request.head.headers));
    TRY(ExplainRequest explain, decode_json_explain(request.body, bytes, limits_));
    TRY_STATUS(complete(explain.infer, request, std::move(route)));
    return explain;
  }

  /// What the path and the head say about it.
  static Status complete(InferRequest& infer, const RequestView& request, Route route) {
    infer.model = std::move(route.model);
    infer.version = std::move(route.version);
    infer.deadline = request.head.deadline;
    return read_scheduling(infer, request.head.received_at);
  }

  Result<Operation> decode_grpc(const RequestView& request) const {
    const auto method = find_method(request.head.path);
    if (!method) return fail(Code::kUnimplemented, fmt::format("unknown method {}", printable(request.head.path)));
    switch (*method) {
      case Method::kServerLive: return ServerLive{};
      case Method::kServerReady: return ServerReady{};
      case Method::kServerMetadata: return ServerMetadata{};
      case Method::kModelInfer:
      case Method::kModelStreamInfer: {
        TRY(InferRequest infer, decode_grpc_infer(request.body, limits_));
        infer.deadline = request.head.deadline;
        TRY_STATUS(read_scheduling(infer, request.head.received_at));
        infer.stream = *method == Method::kModelStreamInfer;
        return infer;
      }
      case Method::kModelReady: {
        TRY(ModelQuery query, decode_grpc_model_query(request.body));
        return ModelReady{std::move(query.model), std::move(query.version)};
      }
      case Method::kModelMetadata: {
        TRY(ModelQuery query, decode_grpc_model_query(request.body));
        return ModelMetadata{std::move(query.model), std::move(query.version)};
      }
      case Method::kRepositoryIndex: return decode_grpc_index(request.body);
      case Method::kRepositoryModelLoad: {
        TRY(RepositoryCall call, decode_grpc_repository_call(request.body));
        return LoadModel{std::move(call.model), request.head.peer};
      }
      case Method::kRepositoryModelUnload: {
        TRY(RepositoryCall call, decode_grpc_repository_call(request.body));
        return UnloadModel{std::move(call.model), request.head.peer};
      }
    }
    return fail(Code::kUnimplemented, "unknown method");
  }

  /// What is unset in the outcome comes from the options.
  ServerInfo server_info(const Outcome& outcome) const {
    const auto* given = std::get_if<ServerInfo>(&outcome);
    ServerInfo info = given == nullptr ? ServerInfo{} : *given;
    if (info.name.empty()) info.name = options_.server_name;
    if (info.version.empty()) info.version = options_.server_version;
    if (info.extensions.empty()) info.extensions.assign(kExtensions.begin(), kExtensions.end());
    return info;
  }

  static tl::unexpected<Error> no_match() {
    return fail(Code::kInternal, "an outcome that does not answer the request");
  }

  Result<Response> encode_rest(const RequestView& request, const Operation& operation, const Outcome& outcome) const {
    if (const auto* result = std::get_if<InferResult>(&outcome)) {
      const auto* infer = std::get_if<InferRequest>(&operation);
      if (infer == nullptr) return no_match();
      TRY(Response json, encode_json_infer(*infer, *result));
      return infer->stream ? as_event(std::move(json), {}) : json;
    }
    if (const auto* explanation = std::get_if<Explanation>(&outcome)) return encode_json_explanation(*explanation);
    if (const auto* truth = std::get_if<bool>(&outcome)) {
      if (std::holds_alternative<ServerLive>(operation)) return encode_json_health("live", *truth);
      if (std::holds_alternative<ServerReady>(operation)) return encode_json_health("ready", *truth);
      const auto* ready = std::get_if<ModelReady>(&operation);
      if (ready == nullptr) return no_match();
      return encode_json_model_ready(ready->model, *truth);
    }
    if (const auto* info = std::get_if<ModelInfo>(&outcome)) return encode_json_model(*info);
    if (const auto* versions = std::get_if<std::vector<VersionStatus>>(&outcome)) {
      const bool index = find_route(request.head.path).kind == RouteKind::kIndex;
      return index ? encode_json_index(*versions) : encode_json_names(*versions);
    }
    if (const auto* load = std::get_if<LoadModel>(&operation)) return encode_json_repository_call(load->model, "load");
    if (const auto* unload = std::get_if<UnloadModel>(&operation)) {
      return encode_json_repository_call(unload->model, "unload");
    }
    if (std::holds_alternative<ServerMetadata>(operation)) return encode_json_server(server_info(outcome));
    return no_match();
  }

  Result<Response> encode_grpc(const RequestView& request, const Operation& operation, const Outcome& outcome) const {
    if (const auto* result = std::get_if<InferResult>(&outcome)) {
      return encode_grpc_infer(*result, has_typed_inputs(request.body));
    }
    if (const auto* truth = std::get_if<bool>(&outcome)) return encode_grpc_bool(*truth);
    if (const auto* info = std::get_if<ModelInfo>(&outcome)) return encode_grpc_model(*info);
    if (const auto* versions = std::get_if<std::vector<VersionStatus>>(&outcome)) return encode_grpc_index(*versions);
    if (std::holds_alternative<ServerMetadata>(operation)) return encode_grpc_server(server_info(outcome));
    const auto call = decode_grpc_repository_call(request.body);
    if (call && call->kserve_form) return encode_grpc_repository_call(call->model);
    return encode_grpc_empty();
  }

  OpenInferenceOptions options_;
  RequestLimits limits_;
};

}  // namespace

std::unique_ptr<Protocol> make_open_inference(OpenInferenceOptions options) {
  return std::make_unique<OpenInference>(std::move(options));
}

}  // namespace protean
