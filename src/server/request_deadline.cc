// SPDX-License-Identifier: Apache-2.0
// One header, looked for once a request.
#include "server/request_deadline.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::uint64_t kDayMs = 86'400'000;

}  // namespace

Result<TimePoint> request_deadline(const RequestHead& head) {
  const auto field = head.headers.find("x-request-timeout-ms");
  if (!field) return head.deadline;
  const auto number = parse_uint64(*field);
  if (!number || *number == 0 || *number > kDayMs) {
    return fail(Code::kInvalidArgument, fmt::format("header x-request-timeout-ms '{}': expected 1 to {} milliseconds",
                                                    printable(*field, 32), kDayMs));
  }
  return std::min(head.deadline, head.received_at + std::chrono::milliseconds(*number));
}

}  // namespace protean
