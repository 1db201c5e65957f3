// SPDX-License-Identifier: Apache-2.0
// What belongs to a connection stays with it; everything else is passed on.
#include "cli/migrate/upstream_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/text.h"
#include "migrate/relay.h"

namespace protean {
namespace {

/// Written anew for each connection, or told by the client library; compression of messages is between neighbours.
constexpr std::array<std::string_view, 6> kGrpcOwn = {"content-type",  "te",   "grpc-timeout",
                                                      "grpc-encoding", "host", "grpc-accept-encoding"};
constexpr std::size_t kPrefixBytes = 5;

bool is_grpc_own(std::string_view name) {
  return std::any_of(kGrpcOwn.begin(), kGrpcOwn.end(), [name](auto each) { return equals_ignore_case(name, each); });
}

migrate::Fields end_to_end_fields(const RequestHead& head) {
  const auto named = migrate::connection_options(head.headers.find("connection").value_or(""));
  migrate::Fields fields;
  for (std::size_t i = 0; i < head.headers.size(); ++i) {
    const std::string_view name = head.headers.name(i);
    const bool ours = equals_ignore_case(name, "host") || (head.wire == Wire::kGrpc && is_grpc_own(name));
    if (ours || migrate::is_hop_by_hop(name, named)) continue;
    fields.emplace_back(name, head.headers.value(i));
  }
  return fields;
}

/// The text and what it has taken of the budget live as long as the bytes are on their way.
Slice body_slice(ClientReply& reply, std::size_t from) {
  struct Kept {
    std::string text;
    std::shared_ptr<Reservation> memory;
  };
  auto kept = std::make_shared<const Kept>(Kept{std::move(reply.body), std::move(reply.memory)});
  const auto bytes = std::as_bytes(std::span(kept->text)).subspan(from);
  return {kept, bytes, 0};
}

tl::unexpected<Error> broken(Code code, std::string message) { return fail(code, std::move(message)); }

Status check_grpc(const ClientReply& reply) {
  if (reply.status != 200) {
    const bool away = reply.status >= 502 && reply.status <= 504;
    return broken(away ? Code::kUnavailable : Code::kInternal, fmt::format("HTTP {} instead of gRPC", reply.status));
  }
  if (reply.grpc_status < 0) return broken(Code::kInternal, "a gRPC answer without a status");
  if (reply.body.empty()) return {};
  if (reply.body.size() < kPrefixBytes) return broken(Code::kInternal, "a gRPC message shorter than its prefix");
  if (reply.body[0] != 0) return broken(Code::kInternal, "a compressed gRPC message, which nobody asked for");
  std::uint32_t size = 0;
  for (std::size_t i = 1; i < kPrefixBytes; ++i) size = size << 8 | static_cast<unsigned char>(reply.body[i]);
  if (size == reply.body.size() - kPrefixBytes) return {};
  return broken(Code::kInternal, fmt::format("gRPC messages of {} bytes, expected one of {}", reply.body.size(), size));
}

Status check_whole(const ClientReply& reply) {
  if (reply.body.size() == reply.body_bytes) return {};
  return broken(Code::kResourceExhausted,
                fmt::format("an answer of {} bytes: more than there is memory for", reply.body_bytes));
}

}  // namespace

ClientRequest make_upstream_request(const RequestHead& head, const Slice& body, std::string_view authority,
                                    Duration left) {
  const auto fields = end_to_end_fields(head);
  if (head.wire == Wire::kGrpc) {
    const Duration timeout = head.deadline == kNever ? Duration::zero() : std::max(left, Duration(1));
    return make_grpc_request(authority, head.path, body, timeout, fields);
  }
  const std::string target = head.query.empty() ? head.path : head.path + "?" + head.query;
  return make_http_request({head.method, authority, target, fields}, body);
}

migrate::Answer read_upstream_reply(ClientReply reply, bool grpc) {
  migrate::Answer answer;
  answer.error = std::move(reply.error);
  if (answer.error) return answer;
  Status good = check_whole(reply);
  if (good && grpc) good = check_grpc(reply);
  if (!good) {
    answer.error = std::move(good).error();
    return answer;
  }
  answer.status = reply.status;
  answer.grpc_status = grpc ? reply.grpc_status : -1;
  answer.grpc_message = std::move(reply.grpc_message);
  answer.headers = std::move(reply.fields);
  answer.trailers = std::move(reply.trailers);
  if (!reply.body.empty()) answer.body = body_slice(reply, grpc ? kPrefixBytes : 0);
  return answer;
}

}  // namespace protean
