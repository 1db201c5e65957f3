// SPDX-License-Identifier: Apache-2.0
// Paths to pages. What depends on the models asks for their table first; the rest is answered at once.
#include "protocols/documentation/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "protocols/documentation/embedded_files.h"
#include "protocols/documentation/openapi.h"
#include "protocols/documentation/page.h"

namespace protean {
namespace {

constexpr std::array<std::string_view, 5> kPaths = {"/", "/docs", "/docs/page.css", "/docs/page.js", "/openapi.json"};

/// Only what this server sends may run or be shown: a name that slipped through the escaping stays text.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

Response with_common_headers(Response response) {
  response.headers.emplace_back("x-content-type-options", "nosniff");
  response.headers.emplace_back("cache-control", "no-cache");
  return response;
}

Response json_error(int status, std::string_view message) {
  std::string body = R"({"error":)";
  append_json_string(body, message);
  return with_common_headers(make_response(status, "application/json", Slice::of(body + "}\n")));
}

int http_status(Code code) noexcept {
  switch (code) {
    case Code::kInvalidArgument: return 400;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kResourceExhausted: return 429;
    case Code::kUnavailable: return 503;
    case Code::kDeadlineExceeded: return 504;
    default: return 500;
  }
}

/// Where a client reached this server; it wrote the Host field itself, so everything that prints it escapes it.
std::string url_of(const RequestHead& head) {
  return head.scheme_host.empty() ? "http://127.0.0.1:8080" : head.scheme_host;
}

/// Browsers are led to the page, programs get a table of contents.
Response front_door(const RequestHead& head) {
  if (head.headers.find("accept").value_or("").find("text/html") != std::string_view::npos) {
    Response response = make_response(302, "text/plain; charset=utf-8", Slice::of_static("see /docs\n"));
    response.headers.emplace_back("location", "/docs");
    response.headers.emplace_back("vary", "accept");
    return with_common_headers(std::move(response));
  }
  Response response = make_response(
      200, "application/json",
      Slice::of_static(R"({"name":"protean","version":")" PROTEAN_VERSION
                       R"(","docs":"/docs","openapi":"/openapi.json","inference":"/v2","metrics":"/metrics"})"
                       "\n"));
  response.headers.emplace_back("vary", "accept");
  return with_common_headers(std::move(response));
}

Response embedded(std::string_view path) {
  const bool style = path.ends_with(".css");
  const auto file = find_embedded_file(path.substr(path.rfind('/') + 1));
  if (!file) return json_error(404, fmt::format("{} is not part of this build", path));
  return with_common_headers(make_response(200, style ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8",
                                           Slice::of_static(*file)));
}

class Documentation final : public Protocol {
 public:
  [[nodiscard]] std::string_view id() const noexcept override { return "documentation"; }

  [[nodiscard]] bool claims(const RequestHead& head) const noexcept override {
    return head.wire != Wire::kGrpc && std::find(kPaths.begin(), kPaths.end(), head.path) != kPaths.end();
  }

  [[nodiscard]] Result<Operation> decode(const RequestView& request) const override {
    const RequestHead& head = request.head;
    if (head.method != "GET" && head.method != "HEAD") {
      Response refusal =
          json_error(405, fmt::format("{}: method {}, expected GET or HEAD", head.path, printable(head.method)));
      refusal.headers.emplace_back("allow", "GET, HEAD");
      return Operation(Immediate{std::move(refusal)});
    }
    if (head.path == "/") return Operation(Immediate{front_door(head)});
    if (head.path.starts_with("/docs/")) return Operation(Immediate{embedded(head.path)});
    return Operation(ListModels{});
  }

  [[nodiscard]] Result<Response> encode(const RequestView& request, const Operation& operation,
                                        Outcome outcome) const override {
    if (const auto* immediate = std::get_if<Immediate>(&operation)) return immediate->response;
    const auto* models = std::get_if<std::vector<VersionStatus>>(&outcome);
    if (models == nullptr) return fail(Code::kInternal, "the list of models is missing");
    const std::string url = url_of(request.head);
    if (request.head.path == "/openapi.json") {
      return with_common_headers(make_response(200, "application/json", Slice::of(format_openapi(*models, url))));
    }
    Response page = make_response(200, "text/html; charset=utf-8", Slice::of(format_page(*models, url)));
    page.headers.emplace_back("content-security-policy", kContentSecurityPolicy);
    page.headers.emplace_back("referrer-policy", "no-referrer");
    return with_common_headers(std::move(page));
  }

  [[nodiscard]] Response encode_error(const RequestView&, const Error& error) const override {
    return json_error(http_status(error.code), error.message);
  }
};

}  // namespace

std::unique_ptr<Protocol> make_documentation() { return std::make_unique<Documentation>(); }

}  // namespace protean
