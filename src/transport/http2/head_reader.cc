// SPDX-License-Identifier: Apache-2.0
// Heads of HTTP/2 requests: see the header.
#include "transport/http2/head_reader.h"

#include <algorithm>

#include "base/text.h"

namespace protean::http2 {
namespace {

/// What SETTINGS_MAX_HEADER_LIST_SIZE counts for each field beside its bytes (RFC 9113 6.5.2).
constexpr std::size_t kFieldOverheadBytes = 32;
/// A usual request: so much is set aside at once.
constexpr std::size_t kUsualFields = 12;
constexpr std::size_t kUsualBytes = 384;

/// Characters of `host [ ":" port ]`, RFC 3986 3.2.2: no userinfo, nothing that could break out of a URL.
bool is_authority(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~%!$&'()*+,;=:[]").find(c) != std::string_view::npos;
  });
}

}  // namespace

void HeadReader::add(std::string_view name, std::string_view value, std::size_t bytes_max) {
  bytes_ += name.size() + value.size() + kFieldOverheadBytes;
  if (bytes_ > bytes_max) too_large_ = true;
  if (too_large_) return;
  if (name.front() == ':') {
    add_pseudo(name, value);
    return;
  }
  if (head.headers.size() == 0) head.headers.reserve(kUsualFields, kUsualBytes);
  head.headers.add(name, value);
  if (name == "content-length") {
    content_length = parse_uint64(value);
  } else if (name == "expect") {
    expects_continue = equals_ignore_case(value, "100-continue");
  }
}

void HeadReader::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") {
    head.method = value;
  } else if (name == ":path") {
    const auto question = value.find('?');
    head.path = value.substr(0, question);
    if (question != std::string_view::npos) head.query = value.substr(question + 1);
  } else if (name == ":authority") {
    authority_ = value;
  } else if (name == ":scheme") {
    https_ = equals_ignore_case(value, "https");
    odd_scheme_ = !https_ && !equals_ignore_case(value, "http");
  }
}

/// A request that names two different hosts is the raw material of request smuggling (RFC 9113 8.3.1).
bool HeadReader::host_agrees() const noexcept {
  for (std::size_t i = 0; i < head.headers.size(); ++i) {
    if (head.headers.name(i) == "host" && !equals_ignore_case(head.headers.value(i), authority_)) return false;
  }
  return true;
}

HeadProblem HeadReader::finish(bool is_tls, std::size_t bytes_max) {
  if (too_large_) {
    return {431, "request head: " + std::to_string(bytes_) + " bytes, expected at most " + std::to_string(bytes_max) +
                     " (header-bytes-max)"};
  }
  if (head.method == "CONNECT") return {501, "method CONNECT: this server is no proxy"};
  if (odd_scheme_) return {400, "request target: expected scheme http or https"};
  if (head.path.empty() || (head.path.front() != '/' && !(head.path == "*" && head.method == "OPTIONS"))) {
    return {400, "request target: expected an absolute path"};
  }
  if (authority_.empty()) authority_ = head.headers.find("host").value_or("");
  if (!is_authority(authority_)) return {400, "request authority: expected a host and an optional port"};
  if (!host_agrees()) return {400, "request authority: the host field names another host"};
  head.scheme_host = https_ || is_tls ? "https://" : "http://";
  head.scheme_host += authority_;
  return {};
}

}  // namespace protean::http2
