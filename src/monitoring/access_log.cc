// SPDX-License-Identifier: Apache-2.0
// Puts an access record into log members. The path is the client's text: it is cut and made printable.
#include "monitoring/access_log.h"

#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kPathSizeMax = 512;

bool failed(int status, std::optional<Code> code) noexcept { return status >= 400 || code.has_value(); }

bool servers_fault(int status, std::optional<Code> code) noexcept {
  return status >= 500 || code == Code::kInternal || code == Code::kUnknown || code == Code::kDataLoss;
}

/// Milliseconds with three decimals: microseconds are what can be told apart.
double milliseconds(Duration duration) noexcept {
  return std::round(std::chrono::duration<double, std::micro>(duration).count()) / 1000.0;
}

}  // namespace

bool AccessLog::wants(int status, std::optional<Code> code) const noexcept {
  if (policy_ == AccessLogPolicy::kOff) return false;
  if (policy_ == AccessLogPolicy::kErrors && !failed(status, code)) return false;
  return log::enabled(servers_fault(status, code) ? log::Level::kWarning : log::Level::kInfo);
}

void AccessLog::record(const AccessRecord& record) const {
  if (!wants(record.status, record.code)) return;
  constexpr std::array<std::string_view, kStageCount> kStageKeys = {"read_ms", "decode_ms", "queue_ms",
                                                                    "run_ms",  "encode_ms", "write_ms"};
  const std::string path = printable(record.path, kPathSizeMax);
  std::vector<log::Field> fields;
  fields.reserve(20);
  const auto text = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) fields.emplace_back(key, value);
  };
  text("request_id", record.request_id);
  text("method", record.method);
  text("path", path);
  text("model", record.model);
  text("version", record.version);
  fields.emplace_back("status", record.status);
  if (record.code) text("code", code_name(*record.code));
  fields.emplace_back("duration_ms", milliseconds(record.duration));
  for (std::size_t i = 0; i < kStageCount; ++i) {
    if (record.stages[i]) fields.emplace_back(kStageKeys[i], milliseconds(*record.stages[i]));
  }
  fields.emplace_back("request_bytes", record.request_bytes);
  fields.emplace_back("response_bytes", record.response_bytes);
  text("peer", record.peer);
  if (record.trace) {
    text("trace_id", record.trace->trace_id);
    text("span_id", record.trace->span_id);
  }
  const bool fault = servers_fault(record.status, record.code);
  log::write(fault ? log::Level::kWarning : log::Level::kInfo, "request", std::span<const log::Field>(fields));
}

}  // namespace protean
