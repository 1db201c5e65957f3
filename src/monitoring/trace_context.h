// SPDX-License-Identifier: Apache-2.0
// The two identities a request carries: the trace it belongs to (W3C traceparent) and its own id, which is
// the client's when it sent a usable one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/http.h"

namespace protean {

/// Ids in lower-case hexadecimal as sent; `span_id` is the caller's span.
struct TraceContext {
  std::string trace_id;  // 32 digits, not all zero
  std::string span_id;   // 16 digits, not all zero
  bool sampled = false;
};

/// nullopt for whatever the specification says to ignore: the trace then starts anew.
/// Source: W3C Trace Context, 3.2 "Traceparent Header" (version 00; later versions by 3.2.4).
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view value);

/// The longest x-request-id that is taken from a client.
inline constexpr std::size_t kRequestIdSizeMax = 128;

/// Printable ASCII without spaces and quotes, 1 to kRequestIdSizeMax characters.
[[nodiscard]] bool is_usable_request_id(std::string_view id) noexcept;

/// 32 hexadecimal digits; 128 random bits from a generator of the calling thread. Not a secret.
[[nodiscard]] std::string make_request_id();

/// The client's x-request-id if it is usable, else a new one.
[[nodiscard]] std::string request_id(const HeaderList& headers);

}  // namespace protean
