// SPDX-License-Identifier: Apache-2.0
// What is kept of a request when its answer is ready: metrics always, a line in the log when asked for.
#pragma once

#include <array>
#include <memory>

#include "base/metrics.h"
#include "base/result.h"
#include "core/http.h"
#include "monitoring/access_log.h"
#include "server/call.h"

namespace protean {

/// Requests that failed before a version of a model was known: malformed, unknown names, control requests.
/// Labelled by code only, for names are the client's to choose.  Thread-safe.
class UnresolvedRequests {
 public:
  explicit UnresolvedRequests(metrics::Registry& registry);
  void add(Code code) noexcept { by_code_[static_cast<std::size_t>(code)]->add(); }

 private:
  static constexpr std::size_t kCodeCount = 17;  // the numbers of Code, 0 unused
  std::array<std::shared_ptr<metrics::Counter>, kCodeCount> by_code_;
};

/// Call once, after encoding and before the reply. `error`: null for success. Marks `response` so that the
/// transport observes the write stage, and echoes the client's x-request-id.  Thread-safe.
void record_call(const Call& call, const Error* error, const AccessLog& log, Response& response);

/// Gives the client's x-request-id back, if it sent a usable one.  Thread-safe.
void echo_request_id(const RequestHead& head, Response& response);

}  // namespace protean
