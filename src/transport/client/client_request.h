// SPDX-License-Identifier: Apache-2.0
// What a client sends and what it gets back. Requests are prepared once: making load must cost less than serving it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/result.h"
#include "core/memory_budget.h"

namespace protean {

/// Immutable once made; shared by connections and threads.
struct ClientRequest {
  std::string http1_head;                                   // request line and fields, with the empty line
  std::vector<std::pair<std::string, std::string>> fields;  // HTTP/2: pseudo-fields first, names in lower case
  Slice body;                                               // gRPC: with its five-byte prefix
  bool head_only = false;                                   // method HEAD: the answer has no body
};

/// What makes up a request besides its body.  `path` with the query.
struct RequestLine {
  std::string_view method = "POST";
  std::string_view authority;
  std::string_view path = "/";
  std::vector<std::pair<std::string, std::string>> fields = {};
};

/// For both versions of HTTP; `content-length` is added.
[[nodiscard]] ClientRequest make_http_request(const RequestLine& line, Slice body);

/// A unary call over HTTP/2.  `path`: `/package.Service/Method`.  `timeout`: zero for none.  `metadata`: besides the
/// fields that every call has.
[[nodiscard]] ClientRequest make_grpc_request(std::string_view authority, std::string_view path, const Slice& message,
                                              Duration timeout,
                                              const std::vector<std::pair<std::string, std::string>>& metadata = {});

/// `error`: nothing complete was received. Its code: kDeadlineExceeded (the request's deadline passed), kUnavailable
/// (refused, closed, reset), kInternal (what came is not HTTP).
/// `status`: of HTTP, 0 without one.  `grpc_status`: the number in the trailers, -1 without one.
/// `body`: as far as it was to be kept; a failure's is kept up to kFailureBodyKept bytes in any case.
/// `fields`, `trailers`: in the order received, when they were to be kept; gRPC's own included.
/// `memory`: what `body` has taken of the budget it was to be charged to; what the budget refused is not in `body`.
struct ClientReply {
  std::optional<Error> error;
  int status = 0;
  int grpc_status = -1;
  std::string grpc_message;
  std::uint64_t body_bytes = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::shared_ptr<Reservation> memory;
};

inline constexpr std::size_t kFailureBodyKept = 4096;

/// Keeps what `keep_max` and the status allow, and counts all.
void add_body(ClientReply& reply, std::string_view bytes, std::size_t keep_max);

}  // namespace protean
