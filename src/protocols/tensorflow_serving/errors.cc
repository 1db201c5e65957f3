// SPDX-License-Identifier: Apache-2.0
// Wording and layout; nothing here decides whether something is an error.
#include "protocols/tensorflow_serving/errors.h"

#include <fmt/format.h>

#include "core/error_reason.h"

namespace protean::tfserving {
namespace {

constexpr std::size_t kGrpcMessageMax = 1024;

bool about_the_version(std::string_view reason) noexcept {
  return reason == error_reason::kNoModel || reason == error_reason::kNoVersion || reason == error_reason::kNoAlias ||
         reason == error_reason::kNotReady;
}

}  // namespace

int http_status(Code code) noexcept {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kFailedPrecondition:
    case Code::kOutOfRange: return 400;
    case Code::kUnauthenticated: return 401;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists:
    case Code::kAborted: return 409;
    case Code::kResourceExhausted: return 429;
    case Code::kCancelled: return 499;
    case Code::kUnimplemented: return 501;
    case Code::kUnavailable: return 503;
    case Code::kDeadlineExceeded: return 504;
    default: return 500;
  }
}

Error in_their_words(Error error, const Asked& asked, bool rest) {
  if (error.reason == error_reason::kNoFunction) {
    error.code = rest ? Code::kInvalidArgument : Code::kFailedPrecondition;
    error.message = rest ? fmt::format("Serving signature name: \"{}\" not found in signature def", asked.function)
                         : fmt::format("Serving signature key \"{}\" not found.", asked.function);
  } else if (about_the_version(error.reason) && asked.label) {
    error.code = Code::kInvalidArgument;
    error.message = fmt::format("Unrecognized servable version label: {}", *asked.label);
  } else if (about_the_version(error.reason)) {
    error.code = Code::kNotFound;
    error.message = asked.version
                        ? fmt::format("Servable not found for request: Specific({}, {})", asked.model, *asked.version)
                        : fmt::format("Servable not found for request: Latest({})", asked.model);
  }
  return error;
}

void append_json_text(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  out += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, plain);
  out += '"';
}

Response json_error(int status, std::string_view message) {
  std::string body = "{\n    \"error\": ";
  append_json_text(body, message);
  body += "\n}";
  return make_response(status, "application/json", Slice::of(std::move(body)));
}

Response grpc_error(const Error& error) {
  Response response;
  response.grpc_code = error.code;
  response.grpc_message = error.message.substr(0, kGrpcMessageMax);
  if (error.message.size() > kGrpcMessageMax) response.grpc_message += "...TRUNCATED";
  return response;
}

}  // namespace protean::tfserving
