// SPDX-License-Identifier: Apache-2.0
// The read side of the repository: what requests and status pages ask, from any thread.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "serving/versions/repository.h"

namespace protean {
namespace {

/// A request counts as a use once in this time: a store a request would bounce the cache line between threads.
constexpr Duration kUseGrain = std::chrono::milliseconds(1);

bool may_be_alias(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64 && text.front() >= 'a' && text.front() <= 'z';
}

}  // namespace

/// `status`: of the name alone.  `found.handle`: null: not loaded.
struct Repository::Found {
  ModelSlot::Found version;
  Status status;
};

Repository::Found Repository::look_up(std::string_view model, std::string_view version) const {
  const ModelRoute* route = directory_.find(model);
  std::uint64_t number = 0;
  if (version.empty()) {
    if (route != nullptr) number = route->default_version;
  } else if (const auto parsed = parse_uint64(version); parsed && *parsed != 0) {
    number = *parsed;
  } else if (may_be_alias(version)) {
    if (route != nullptr) number = route->find_alias(version);
    if (number == 0) return {};
  } else {
    return {
        {},
        fail(Code::kInvalidArgument, fmt::format("version '{}' of model '{}': expected a positive number or an alias",
                                                 printable(version, 32), printable(model)))};
  }
  if (route == nullptr) return {};
  return {route->slot->find(number), {}};
}

Result<VersionHandle> Repository::find(std::string_view model, std::string_view version) const {
  Found found = look_up(model, version);
  if (found.version.handle) return std::move(found.version.handle);
  if (!found.status) return tl::unexpected(std::move(found.status).error());
  return explain(model, version);
}

std::optional<Result<VersionHandle>> Repository::acquire(std::string_view model, std::string_view version,
                                                         TimePoint deadline,
                                                         std::function<void(Result<VersionHandle>)> done) {
  Found found = look_up(model, version);
  if (found.version.handle) {
    auto& last_used = found.version.handle->last_used;
    const TimePoint::rep now = parts_.clock->now().time_since_epoch().count();
    if (now - last_used.load(std::memory_order_relaxed) > kUseGrain.count()) {
      last_used.store(now, std::memory_order_relaxed);
    }
    return Result<VersionHandle>(std::move(found.version.handle));
  }
  if (!found.status) return Result<VersionHandle>(tl::unexpected(std::move(found.status).error()));
  if (!found.version.wakes) return Result<VersionHandle>(explain(model, version));
  {
    const std::lock_guard lock(events_mutex_);
    if (stopping_) return Result<VersionHandle>(fail(Code::kUnavailable, "the server is stopping"));
    events_.push_back([this, model = std::string(model), version = std::string(version), deadline,
                       done = std::move(done)](TimePoint now) { life_.wait_for(model, version, deadline, done, now); });
  }
  wake_.notify_one();
  return std::nullopt;
}

Result<bool> Repository::available(std::string_view model, std::string_view version) const {
  const Found found = look_up(model, version);
  if (!found.status) return tl::unexpected(found.status.error());
  if (found.version.handle || found.version.wakes) return true;
  auto reason = explain(model, version);
  if (reason.value().code == Code::kUnavailable) return false;
  return reason;
}

Result<std::vector<VersionHandle>> Repository::ready_versions(std::string_view model) const {
  const ModelRoute* route = directory_.find(model);
  if (route == nullptr) return explain(model, {});
  auto ready = route->slot->ready();
  if (ready.empty()) return explain(model, {});
  return ready;
}

tl::unexpected<Error> Repository::explain(std::string_view model, std::string_view version) const {
  const std::lock_guard lock(mutex_);
  return tl::unexpected(life_.explain(model, version, parts_.clock->now()));
}

std::vector<VersionStatus> Repository::statuses() const {
  const std::lock_guard lock(mutex_);
  return life_.statuses(parts_.clock->now());
}

std::vector<IgnoredPath> Repository::ignored() const {
  const std::lock_guard lock(mutex_);
  return ignored_;
}

std::vector<Alias> Repository::aliases(std::string_view model) const {
  const std::lock_guard lock(mutex_);
  return life_.aliases(model);
}

Result<std::vector<HistoryRecord>> Repository::history(const HistoryQuery& query) const {
  if (parts_.store == nullptr) return fail(Code::kUnavailable, "there is no store that keeps a history");
  return parts_.store->history(query);
}

}  // namespace protean
