// SPDX-License-Identifier: Apache-2.0
// Health questions become operations; reflection is answered on the spot.
#include "protocols/grpc_standard/protocol.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/text.h"
#include "proto/grpc_health.pb.h"
#include "protocols/grpc_standard/reflection.h"

namespace protean {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr std::string_view kCheck = "/grpc.health.v1.Health/Check";
constexpr std::string_view kWatch = "/grpc.health.v1.Health/Watch";
constexpr std::string_view kReflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr std::string_view kReflectionAlpha = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

bool is_reflection(std::string_view path) noexcept { return path == kReflection || path == kReflectionAlpha; }

Response message_of(std::string bytes) {
  Response response;
  if (!bytes.empty()) response.body.push_back(Slice::of(std::move(bytes)));
  return response;
}

Response health_response(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse message;
  message.set_status(status);
  return message_of(message.SerializeAsString());
}

Result<Operation> decode_health(const RequestView& request) {
  HealthCheckRequest question;
  const std::string_view bytes = request.body.text();
  const bool fits = bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits || !question.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::kInvalidArgument, "malformed HealthCheckRequest");
  }
  const bool watch = request.head.path == kWatch;
  const auto names = service_names();
  const std::string& service = question.service();
  // TensorFlow Serving's clients ask for its services without their package.
  const bool theirs = service == "PredictionService" || service == "ModelService";
  if (service.empty() || theirs || std::ranges::find(names, service) != names.end()) {
    return watch ? Operation(WatchReady{}) : Operation(ServerReady{});
  }
  if (watch) return Immediate{health_response(HealthCheckResponse::SERVICE_UNKNOWN)};
  return fail(Code::kNotFound, "unknown service '" + printable(question.service()) + "'");
}

class GrpcStandard : public Protocol {
 public:
  [[nodiscard]] std::string_view id() const noexcept override { return "grpc_standard"; }

  [[nodiscard]] bool claims(const RequestHead& head) const noexcept override {
    return head.wire == Wire::kGrpc && (head.path.starts_with("/grpc.health.v1.Health/") ||
                                        head.path.starts_with("/grpc.reflection.v1.ServerReflection/") ||
                                        head.path.starts_with("/grpc.reflection.v1alpha.ServerReflection/"));
  }

  [[nodiscard]] BodyMode body_mode(const RequestHead& head) const noexcept override {
    return head.path == kWatch || is_reflection(head.path) ? BodyMode::kMessages : BodyMode::kWhole;
  }

  [[nodiscard]] Result<Operation> decode(const RequestView& request) const override {
    if (request.head.path == kCheck || request.head.path == kWatch) return decode_health(request);
    if (!is_reflection(request.head.path)) {
      return fail(Code::kUnimplemented, "unknown method " + printable(request.head.path));
    }
    TRY(std::string response, answer_reflection(request.body.text()));
    return Immediate{message_of(std::move(response))};
  }

  [[nodiscard]] Result<Response> encode(const RequestView& /*request*/, const Operation& /*operation*/,
                                        Outcome outcome) const override {
    const auto* ready = std::get_if<bool>(&outcome);
    if (ready == nullptr) return fail(Code::kInternal, "an outcome that does not answer the request");
    return health_response(*ready ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  }

  [[nodiscard]] Response encode_error(const RequestView& /*request*/, const Error& error) const override {
    Response response;
    response.grpc_code = error.code;
    response.grpc_message = error.message;
    return response;
  }
};

}  // namespace

std::unique_ptr<Protocol> make_grpc_standard() { return std::make_unique<GrpcStandard>(); }

}  // namespace protean
