// SPDX-License-Identifier: Apache-2.0
// How a connection gets its session once the first bytes (or ALPN) have told which protocol it speaks.
#pragma once

#include <memory>

#include "transport/session.h"

namespace protean {

/// The host must be owned by a shared_ptr, outlive the session, and call on_closed() before it lets go of it.
/// Defined in transport/http1/.
[[nodiscard]] std::unique_ptr<Session> make_http1_session(SessionHost& host);

/// As above; the first bytes the session gets are the client's connection preface.  Defined in transport/http2/.
[[nodiscard]] std::unique_ptr<Session> make_http2_session(SessionHost& host);

}  // namespace protean
