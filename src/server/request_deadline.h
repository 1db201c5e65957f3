// SPDX-License-Identifier: Apache-2.0
// Until when an HTTP client waits, as its header says: for dialects whose messages have no field for it.
#pragma once

#include "base/result.h"
#include "core/http.h"

namespace protean {

/// `head.deadline` (from grpc-timeout), or earlier: `x-request-timeout-ms`, whole milliseconds from the first byte.
/// Errors: kInvalidArgument for anything but 1 to 86,400,000.  Thread-safe.
[[nodiscard]] Result<TimePoint> request_deadline(const RequestHead& head);

}  // namespace protean
