// SPDX-License-Identifier: Apache-2.0
// Used by the repository for every request, and by the simulation for every one of its own.
#include "serving/versions/look_up.h"

#include <fmt/format.h>

#include "base/text.h"
#include "core/error_reason.h"

namespace protean {
namespace {

/// A request counts as a use once in this time: a store a request would bounce the cache line between threads.
constexpr Duration kUseGrain = std::chrono::milliseconds(1);

bool may_be_alias(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64 && text.front() >= 'a' && text.front() <= 'z';
}

}  // namespace

LookUp look_up(const Directory& directory, std::string_view model, std::string_view version) {
  const ModelRoute* route = directory.find(model);
  std::uint64_t number = 0;
  if (version.empty()) {
    if (route != nullptr) number = route->default_version;
  } else if (const auto parsed = parse_uint64(version); parsed && *parsed != 0) {
    number = *parsed;
  } else {
    if (route != nullptr) number = route->find_alias(version);
    if (number == 0 && may_be_alias(version)) return {};
  }
  if (number == 0 && !version.empty()) {
    return {{},
            fail_as(error_reason::kNoAlias, Code::kInvalidArgument,
                    fmt::format("version '{}' of model '{}': expected a positive number or an alias",
                                printable(version, 32), printable(model)))};
  }
  if (route == nullptr) return {};
  return {route->slot->find(number), {}};
}

void note_use(LoadedVersion& version, TimePoint now) noexcept {
  const TimePoint::rep at = now.time_since_epoch().count();
  if (at - version.last_used.load(std::memory_order_relaxed) > kUseGrain.count()) {
    version.last_used.store(at, std::memory_order_relaxed);
  }
}

}  // namespace protean
