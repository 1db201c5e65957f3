// SPDX-License-Identifier: Apache-2.0
// One line of the log per request: who asked what, how it ended and where the time went.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "core/model_metrics.h"
#include "monitoring/trace_context.h"

namespace protean {

/// `kErrors`: only requests that failed.
enum class AccessLogPolicy : unsigned char { kOff, kErrors, kAll };

/// What is told about one request. Views live until record() returns; empty text and unset times are left out.
/// `status`: the HTTP status.  `code`: set when the request failed, and for gRPC the status sent.
struct AccessRecord {
  std::string_view request_id;
  std::string_view method;
  std::string_view path;  // without the query, which may hold what does not belong into logs
  std::string_view model;
  std::string_view version;
  std::string_view peer;
  int status = 200;
  std::optional<Code> code;
  Duration duration{};
  std::array<std::optional<Duration>, kStageCount> stages;
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  std::optional<TraceContext> trace;
};

/// Thread-safe; constant after construction.
class AccessLog {
 public:
  explicit AccessLog(AccessLogPolicy policy) noexcept : policy_(policy) {}

  /// Whether record() would write a line for this ending: spares the caller putting a record together.
  [[nodiscard]] bool wants(int status, std::optional<Code> code) const noexcept;
  /// One line, if wanted: event `request`, level info, or warning for status 500 and above and for the codes
  /// that mean the server is at fault.
  void record(const AccessRecord& record) const;

 private:
  AccessLogPolicy policy_;
};

}  // namespace protean
