// SPDX-License-Identifier: Apache-2.0
// nghttp2, set up once for all sessions: its options (every limit explicit) and the bridge from its C
// callbacks to the methods of a Session, where exceptions stop.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>

namespace protean::http2 {

class Http2Session;

struct EngineDeleter {
  void operator()(nghttp2_session* engine) const noexcept { nghttp2_session_del(engine); }
};
using Engine = std::unique_ptr<nghttp2_session, EngineDeleter>;

/// Throws std::bad_alloc.  `session` outlives the engine.
[[nodiscard]] Engine make_engine(Http2Session& session);

/// The body of an answer comes from Http2Session::read_body().
[[nodiscard]] nghttp2_data_provider body_provider() noexcept;

}  // namespace protean::http2
