// SPDX-License-Identifier: Apache-2.0
// Chooses by wire; what both halves share - cross-origin headers, the page for everything else - is here.
#include "protocols/tensorflow_serving/protocol.h"

#include <algorithm>
#include <utility>

#include "protocols/tensorflow_serving/errors.h"
#include "protocols/tensorflow_serving/grpc_calls.h"
#include "protocols/tensorflow_serving/rest_calls.h"
#include "protocols/tensorflow_serving/routes.h"

namespace protean {
namespace {

using namespace tfserving;

class TensorflowServing final : public Protocol {
 public:
  explicit TensorflowServing(TensorflowServingOptions options) : options_(std::move(options)) {
    options_.json_depth_max = std::clamp<std::size_t>(options_.json_depth_max, 8, 512);
  }

  [[nodiscard]] std::string_view id() const noexcept override { return "tensorflow_serving"; }

  [[nodiscard]] bool claims(const RequestHead& head) const noexcept override {
    if (head.wire == Wire::kGrpc) return is_service_path(head.path);
    return head.dialect == Dialect::kTensorflowServing ? is_api_path(head.path) : is_models_path(head.path);
  }

  [[nodiscard]] Result<Operation> decode(const RequestView& request) const override {
    if (request.head.wire == Wire::kGrpc) return decode_grpc(request);
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
    if (request.head.wire == Wire::kGrpc) return encode_grpc(request, operation, outcome, options_);
    return encode_rest(request, operation, outcome).map([this](Response&& reply) {
      return for_browsers(std::move(reply));
    });
  }

  [[nodiscard]] Response encode_error(const RequestView& request, const Error& error) const override {
    if (request.head.wire == Wire::kGrpc) return grpc_error(error);
    return for_browsers(encode_rest_failure(request, nullptr, error));
  }

  [[nodiscard]] Response encode_failure(const RequestView& request, const Operation& operation,
                                        const Error& error) const override {
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

  TensorflowServingOptions options_;
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

std::unique_ptr<Protocol> make_tensorflow_serving(TensorflowServingOptions options) {
  return std::make_unique<TensorflowServing>(std::move(options));
}

std::unique_ptr<Protocol> make_tensorflow_serving_not_found() { return std::make_unique<NotFound>(); }

}  // namespace protean
