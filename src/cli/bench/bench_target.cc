// SPDX-License-Identifier: Apache-2.0
// Reads the URL and fetches the signature, which is all that is to be known about a server.
#include "cli/bench/bench_target.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/load/load_plan.h"
#include "core/example_request.h"
#include "protocols/open_inference/client_request.h"

namespace protean {
namespace {

tl::unexpected<Error> bad_url(std::string_view url, std::string_view why) {
  return fail(Code::kInvalidArgument,
              fmt::format("flag --url: found '{}', expected http://HOST:PORT{}", printable(url), why));
}

}  // namespace

std::string BenchUrl::authority() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<BenchUrl> parse_bench_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (url.starts_with("https://")) return bad_url(url, " (load is made in clear text only)");
  if (!url.starts_with(kScheme)) return bad_url(url, "");
  std::string_view rest = url.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != std::string_view::npos) return bad_url(url, " and nothing behind it");
  BenchUrl found;
  const auto colon = rest.rfind(':');
  const bool has_port = colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos;
  std::string_view host = has_port ? rest.substr(0, colon) : rest;
  const auto port = has_port ? parse_uint64(rest.substr(colon + 1)) : 80;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || !port || *port == 0 || *port > 65535) return bad_url(url, "");
  found.host = host;
  found.port = static_cast<std::uint16_t>(*port);
  return found;
}

Result<BenchTarget> find_remote_model(const std::string& url, const std::string& model, const std::string& version,
                                      Duration timeout) {
  TRY(const BenchUrl where, parse_bench_url(url));
  BenchTarget target;
  TRY(target.address, resolve_target(where.host, where.port));
  target.authority = where.authority();
  target.model = model;
  target.version = version;
  const std::string path = model_path(model, version);
  auto request = std::make_shared<const ClientRequest>(make_http_request({"GET", target.authority, path, {}}, {}));
  auto reply = send_once(target.address, false, std::move(request), timeout);
  if (!reply) {
    return fail(reply.error().code, fmt::format("server {}: {}", url, printable(reply.error().message, 500)));
  }
  if (reply->status != 200) {
    return fail(Code::kNotFound, fmt::format("server {}: GET {}: HTTP {}: {}", url, path, reply->status,
                                             printable(read_json_error(reply->body), 1000)));
  }
  auto info = read_json_metadata(reply->body);
  if (!info) {
    return fail(Code::kInvalidArgument,
                fmt::format("server {}: GET {}: {}", url, path, printable(info.error().message, 500)));
  }
  target.signature = info->signature;
  return target;
}

Result<BenchTarget> start_local_model(const LocalServerOptions& options, const std::string& version, Duration timeout) {
  TRY(auto local, LocalServer::start(options));
  TRY(auto target, find_remote_model(local->url(), local->model(), version, timeout));
  target.local = std::move(local);
  return target;
}

}  // namespace protean
