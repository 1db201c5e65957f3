// SPDX-License-Identifier: Apache-2.0
// Chooses by wire; what both halves share - cross-origin headers, the page for everything else - is here.
#include "protocols/tensorflow_serving/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "protocols/tensorflow_serving/errors.h"
#include "protocols/tensorflow_serving/grpc_calls.h"
#include "protocols/tensorflow_serving/rest_calls.h"
#include "protocols/tensorflow_serving/routes.h"
#include "protocols/tensorflow_serving/serving_metrics.h"

namespace protean {
namespace {

using namespace tfserving;

/// The API that a request is counted under; empty: none.
std::string_view api_of(const RequestHead& head) noexcept {
  if (head.wire == Wire::kGrpc) {
    const auto method = find_method(head.path);
    const bool counted = method && *method <= Method::kMultiInference;
    return counted ? std::string_view(head.path).substr(head.path.rfind('/') + 1) : std::string_view();
  }
  for (const std::string_view api : {"predict", "classify", "regress"}) {
    if (head.path.ends_with(api) && head.method == "POST") return api;
  }
  return {};
}

/// Rows of the first output.
std::uint64_t examples_of(const Outcome& outcome) noexcept {
  const auto* result = std::get_if<InferResult>(&outcome);
  if (result == nullptr || result->outputs.empty() || result->outputs.front().tensor.shape.empty()) return 0;
  return static_cast<std::uint64_t>(result->outputs.front().tensor.shape.front());
}

std::string_view model_of(const Operation* operation) noexcept {
  const auto* infer = operation == nullptr ? nullptr : inference_of(*operation);
  const auto* many = operation == nullptr ? nullptr : std::get_if<InferManyRequest>(operation);
  if (many != nullptr && !many->requests.empty()) infer = &many->requests.front();
  return infer == nullptr ? std::string_view() : std::string_view(infer->model);
}

/// How an inference, or each of several, was carried out.
std::vector<RunTimes> times_of(const Outcome& outcome) {
  std::vector<RunTimes> times;
  if (const auto* one = std::get_if<InferResult>(&outcome)) times.push_back(one->times);
  if (const auto* many = std::get_if<std::vector<InferResult>>(&outcome)) {
    for (const auto& result : *many) times.push_back(result.times);
  }
  return times;
}

class TensorflowServing final : public Protocol {
 public:
  TensorflowServing(TensorflowServingOptions options, std::shared_ptr<ServingMetrics> metrics)
      : options_(std::move(options)), metrics_(std::move(metrics)) {
    options_.json_depth_max = std::clamp<std::size_t>(options_.json_depth_max, 8, 512);
  }

  [[nodiscard]] std::string_view id() const noexcept override { return "tensorflow_serving"; }

  [[nodiscard]] bool claims(const RequestHead& head) const noexcept override {
    if (head.wire == Wire::kGrpc) return is_service_path(head.path);
    if (is_metrics_path(head)) return true;
    return head.dialect == Dialect::kTensorflowServing ? is_api_path(head.path) : is_models_path(head.path);
  }

  [[nodiscard]] Result<Operation> decode(const RequestView& request) const override {
    if (request.head.wire == Wire::kGrpc) return decode_grpc(request);
    if (is_metrics_path(request.head)) return Immediate{metrics_page(request.head)};
    auto operation = decode_rest(request, options_);
    if (auto* immediate = operation ? std::get_if<Immediate>(&*operation) : nullptr) {
      immediate->response = for_browsers(std::move(immediate->response));
    }
    return operation;
  }

  [[nodiscard]] Status bind(const RequestView& view, InferRequest& request, const Signature* signature) const override {
    return view.head.wire == Wire::kGrpc ? bind_grpc(view, request, signature, options_)
                                         : bind_rest(view, request, signature, options_);
  }

  [[nodiscard]] Result<Response> encode(const RequestView& request, const Operation& operation,
                                        Outcome outcome) const override {
    const std::uint64_t examples = metrics_ ? examples_of(outcome) : 0;
    const auto times = metrics_ ? times_of(outcome) : std::vector<RunTimes>();
    auto reply = request.head.wire == Wire::kGrpc
                     ? encode_grpc(request, operation, outcome, options_)
                     : encode_rest(request, operation, outcome).map([this](Response&& json) {
                         return for_browsers(std::move(json));
                       });
    if (reply) count(request.head, &operation, {"OK", examples, times});
    return reply;
  }

  [[nodiscard]] Response encode_error(const RequestView& request, const Error& error) const override {
    count(request.head, nullptr, {code_name(error.code)});
    if (request.head.wire == Wire::kGrpc) return grpc_error(error);
    return for_browsers(encode_rest_failure(request, nullptr, error));
  }

  [[nodiscard]] Response encode_failure(const RequestView& request, const Operation& operation,
                                        const Error& error) const override {
    count(request.head, &operation, {code_name(error.code)});
    if (request.head.wire == Wire::kGrpc) return encode_grpc_failure(request, error);
    return for_browsers(encode_rest_failure(request, &operation, error));
  }

 private:
  [[nodiscard]] Response for_browsers(Response response) const {
    if (!options_.cors) return response;
    response.headers.emplace_back("access-control-allow-origin", "*");
    response.headers.emplace_back("access-control-allow-methods", "POST, GET");
    response.headers.emplace_back("access-control-allow-headers", "Content-Type");
    return response;
  }

  [[nodiscard]] bool is_metrics_path(const RequestHead& head) const noexcept {
    return metrics_ && !options_.metrics_path.empty() && head.wire != Wire::kGrpc && head.path == options_.metrics_path;
  }

  /// The query counts as part of the path, as the original has it.
  [[nodiscard]] Response metrics_page(const RequestHead& head) const {
    if (head.query.empty()) return make_response(200, "text/plain", Slice::of(metrics_->page()));
    return make_response(
        400, "text/plain",
        Slice::of(fmt::format("Unexpected path: {}. Should be {}", target_of(head), options_.metrics_path)));
  }

  struct End {
    std::string_view status;
    std::uint64_t examples = 0;
    std::span<const RunTimes> times = {};
  };

  void count(const RequestHead& head, const Operation* operation, const End& end) const {
    if (!metrics_) return;
    const std::string_view api = api_of(head);
    const std::string_view model = model_of(operation);
    if (api.empty() || model.empty()) return;
    metrics_->record({model, api, end.status, head.wire != Wire::kGrpc, end.examples,
                      Clock::system().now() - head.received_at, end.times});
  }

  TensorflowServingOptions options_;
  const std::shared_ptr<ServingMetrics> metrics_;  // null: none are kept
};

/// The page that libevent makes of a 404.
class NotFound final : public Protocol {
 public:
  [[nodiscard]] std::string_view id() const noexcept override { return "tensorflow_serving"; }
  [[nodiscard]] bool claims(const RequestHead& head) const noexcept override { return head.wire != Wire::kGrpc; }
  [[nodiscard]] Result<Operation> decode(const RequestView&) const override { return Immediate{page()}; }
  [[nodiscard]] Result<Response> encode(const RequestView&, const Operation&, Outcome) const override { return page(); }
  [[nodiscard]] Response encode_error(const RequestView&, const Error&) const override { return page(); }

 private:
  [[nodiscard]] static Response page() {
    constexpr std::string_view kPage =
        "<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n";
    return make_response(404, "text/html", Slice::of_static(kPage));
  }
};

}  // namespace

std::shared_ptr<tfserving::ServingMetrics> make_tensorflow_serving_metrics() {
  return std::make_shared<tfserving::ServingMetrics>();
}

std::unique_ptr<Protocol> make_tensorflow_serving(TensorflowServingOptions options,
                                                  std::shared_ptr<tfserving::ServingMetrics> metrics) {
  return std::make_unique<TensorflowServing>(std::move(options), std::move(metrics));
}

std::unique_ptr<Protocol> make_tensorflow_serving_not_found() { return std::make_unique<NotFound>(); }

}  // namespace protean
