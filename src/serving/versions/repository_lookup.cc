// SPDX-License-Identifier: Apache-2.0
// The read side of the repository: what requests and status pages ask, from any thread.
#include "serving/versions/look_up.h"
#include "serving/versions/repository.h"

namespace protean {

Result<VersionHandle> Repository::find(std::string_view model, std::string_view version) const {
  LookUp asked = look_up(directory_, model, version);
  if (asked.found.handle) return std::move(asked.found.handle);
  if (!asked.status) return tl::unexpected(std::move(asked.status).error());
  return explain(model, version);
}

std::optional<Result<VersionHandle>> Repository::acquire(std::string_view model, std::string_view version) const {
  LookUp asked = look_up(directory_, model, version);
  if (asked.found.handle) {
    note_use(*asked.found.handle, parts_.clock->now());
    return Result<VersionHandle>(std::move(asked.found.handle));
  }
  if (!asked.status) return Result<VersionHandle>(tl::unexpected(std::move(asked.status).error()));
  if (!asked.found.wakes) return Result<VersionHandle>(explain(model, version));
  return std::nullopt;
}

void Repository::wait_for_load(std::string_view model, std::string_view version, TimePoint deadline, WaitDone done) {
  {
    const std::lock_guard lock(events_mutex_);
    if (!stopping_) {
      events_.push_back(
          [this, model = std::string(model), version = std::string(version), deadline,
           done = std::move(done)](TimePoint now) { life_.wait_for(model, version, deadline, done, now); });
      wake_.notify_one();
      return;
    }
  }
  done(fail(Code::kUnavailable, "the server is stopping"));
}

Result<bool> Repository::available(std::string_view model, std::string_view version) const {
  const LookUp asked = look_up(directory_, model, version);
  if (!asked.status) return tl::unexpected(asked.status.error());
  if (asked.found.handle || asked.found.wakes) return true;
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

Result<std::vector<VersionStatus>> Repository::versions_of(std::string_view model, std::string_view version) const {
  const std::lock_guard lock(mutex_);
  return life_.versions_of(model, version, parts_.clock->now());
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
