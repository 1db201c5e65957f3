// SPDX-License-Identifier: Apache-2.0
// From what a client sent to what a side is sent, and from what came back to an answer. Pure functions.
#pragma once

#include <string_view>

#include "core/exchange.h"
#include "migrate/answer.h"
#include "transport/client/client_request.h"

namespace protean {

/// The request as it came: method, target, fields that are meant for the other end, body. `host` is the side's own
/// authority, as servers behind a name expect.
/// gRPC: metadata and, when the client set a deadline, `left` as the time that there is. That need not be the client's
/// own: a mirrored call has more, or it would fail where the first one took long.
/// Source: RFC 9110 7.6; gRPC over HTTP/2, "Requests".
[[nodiscard]] ClientRequest make_upstream_request(const RequestHead& head, const Slice& body,
                                                  std::string_view authority, Duration left);

/// Takes the reply apart. What is no complete answer of its kind becomes an error: kInternal (no gRPC, a broken frame,
/// compressed although nobody asked), kUnavailable (502 to 504 instead of gRPC), kResourceExhausted (not kept whole).
[[nodiscard]] migrate::Answer read_upstream_reply(ClientReply reply, bool grpc);

}  // namespace protean
