// SPDX-License-Identifier: Apache-2.0
// Writes both forms of a request's head; see the header.
#include "transport/client/client_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace protean {
namespace {

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// At most eight digits and a unit.  Source: gRPC over HTTP/2, "Timeout".
std::string grpc_timeout(Duration timeout) {
  constexpr std::int64_t kDigitsMax = 99'999'999;
  const std::int64_t us = std::max<std::int64_t>(1, timeout.count() / 1000);
  if (us <= kDigitsMax) return fmt::format("{}u", us);
  return fmt::format("{}m", std::min(kDigitsMax, us / 1000));
}

/// Source: gRPC over HTTP/2, "Length-Prefixed-Message".
Slice length_prefixed(const Slice& message) {
  Buffer body;
  body.reserve(5 + message.size());
  const auto size = static_cast<std::uint32_t>(message.size());
  const std::array<unsigned char, 5> prefix = {0, static_cast<unsigned char>(size >> 24),
                                               static_cast<unsigned char>(size >> 16),
                                               static_cast<unsigned char>(size >> 8), static_cast<unsigned char>(size)};
  body.append(prefix.data(), prefix.size());
  body.append(message.bytes);
  return std::move(body).share();
}

}  // namespace

ClientRequest make_http_request(const RequestLine& line, Slice body) {
  ClientRequest request;
  request.http1_head = fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\n", line.method, line.path, line.authority);
  request.fields = {{":method", std::string(line.method)},
                    {":scheme", "http"},
                    {":authority", std::string(line.authority)},
                    {":path", std::string(line.path)}};
  const auto add = [&request](std::string name, std::string value) {
    request.http1_head += fmt::format("{}: {}\r\n", name, value);
    request.fields.emplace_back(std::move(name), std::move(value));
  };
  for (const auto& [name, value] : line.fields) add(lower(name), value);
  if (!body.empty() || line.method == "POST") add("content-length", fmt::format("{}", body.size()));
  request.http1_head += "\r\n";
  request.body = std::move(body);
  request.head_only = line.method == "HEAD";
  return request;
}

ClientRequest make_grpc_request(std::string_view authority, std::string_view path, const Slice& message,
                                Duration timeout, const std::vector<std::pair<std::string, std::string>>& metadata) {
  ClientRequest request;
  request.fields = {{":method", "POST"},          {":scheme", "http"}, {":authority", std::string(authority)},
                    {":path", std::string(path)}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  for (const auto& [name, value] : metadata) request.fields.emplace_back(lower(name), value);
  if (timeout > Duration::zero()) request.fields.emplace_back("grpc-timeout", grpc_timeout(timeout));
  request.body = length_prefixed(message);
  return request;
}

void add_body(ClientReply& reply, std::string_view bytes, std::size_t keep_max) {
  const std::size_t kept_max = reply.status >= 400 ? std::max(keep_max, kFailureBodyKept) : keep_max;
  const bool whole = reply.body.size() == reply.body_bytes;
  reply.body_bytes += bytes.size();
  if (!whole || reply.body.size() >= kept_max) return;
  const std::string_view kept = bytes.substr(0, kept_max - reply.body.size());
  if (reply.memory && !reply.memory->grow_to(reply.body.size() + kept.size())) return;
  reply.body += kept;
}

}  // namespace protean
