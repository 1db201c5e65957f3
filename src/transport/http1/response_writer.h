// SPDX-License-Identifier: Apache-2.0
// Responses as HTTP/1.1 puts them on the wire: status line, fields, and pieces of chunked bodies.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/http.h"
#include "transport/output_queue.h"

namespace protean {

/// How a response ends, and what its head says about the connection.
struct ResponseFraming {
  bool closes = false;     // `connection: close`
  bool http10 = false;     // the client speaks HTTP/1.0 and is told `connection: keep-alive`
  bool head_only = false;  // the answer to HEAD: a head that announces the body, and no body
  bool chunked = false;    // of unknown length: chunked, or ended by closing for HTTP/1.0
};

/// Appends the head and, unless `chunked` or `head_only`, the whole body, whose slices are moved from.
/// A field with a line break or NUL in it is left out: it would be read as something else.
void write_response(OutputQueue& output, Response& response, const ResponseFraming& framing);

/// One chunk around `piece`; nothing for an empty piece, which would end the body.
void write_chunk(OutputQueue& output, Slice piece);
void write_last_chunk(OutputQueue& output);

}  // namespace protean
