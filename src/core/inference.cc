// SPDX-License-Identifier: Apache-2.0
// Look-up in a request's parameters, and those that say when it should run.
#include "core/inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/model_config.h"

namespace protean {
namespace {

/// Longer time-outs are as good as none.
constexpr std::uint64_t kTimeoutMax = std::uint64_t{1} << 50;  // microseconds: 35 years

/// A whole number that is not negative.
std::optional<std::uint64_t> whole_number(const Parameter& parameter) {
  if (const auto* number = std::get_if<std::uint64_t>(&parameter)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&parameter); number != nullptr && *number >= 0) {
    return static_cast<std::uint64_t>(*number);
  }
  return std::nullopt;
}

}  // namespace

const Parameter* find_parameter(const Parameters& parameters, std::string_view name) noexcept {
  for (const auto& [key, value] : parameters) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view cache_use_name(CacheUse use) noexcept {
  switch (use) {
    case CacheUse::kMiss: return "miss";
    case CacheUse::kHit: return "hit";
    case CacheUse::kShared: return "shared";
    default: return "none";
  }
}

Status read_scheduling(InferRequest& request, TimePoint received_at) {
  if (request.parameters.empty()) return {};
  if (const Parameter* priority = find_parameter(request.parameters, "priority")) {
    const auto number = whole_number(*priority);
    if (!number || *number > kPriorityLast) {
      return fail(Code::kInvalidArgument,
                  fmt::format("parameter 'priority': expected a whole number from {} (first) to "
                              "{} (last), or 0 for the model's default",
                              kPriorityFirst, kPriorityLast));
    }
    request.priority = static_cast<std::uint32_t>(*number);
  }
  if (const Parameter* timeout = find_parameter(request.parameters, "timeout")) {
    const auto number = whole_number(*timeout);
    if (!number) {
      return fail(Code::kInvalidArgument, "parameter 'timeout': expected a whole number of microseconds");
    }
    if (*number != 0 && *number < kTimeoutMax) {
      request.deadline = std::min(request.deadline, received_at + std::chrono::microseconds(*number));
    }
  }
  return {};
}

}  // namespace protean
