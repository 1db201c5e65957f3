// SPDX-License-Identifier: Apache-2.0
// What is kept of a request when its answer is ready: metrics always, a line in the log when asked for.
#pragma once

#include "base/result.h"
#include "core/http.h"
#include "monitoring/access_log.h"
#include "server/call.h"

namespace protean {

/// Call once, after encoding and before the reply. `error`: null for success. Marks `response` so that the
/// transport observes the write stage, and echoes the client's x-request-id.  Thread-safe.
void record_call(const Call& call, const Error* error, const AccessLog& log, Response& response);

}  // namespace protean
