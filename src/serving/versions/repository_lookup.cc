// SPDX-License-Identifier: Apache-2.0
// The read side of the repository: what requests and status pages ask, from any thread.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "serving/versions/repository.h"

namespace protean {

std::shared_ptr<const Repository::Snapshot> Repository::snapshot() const {
  return snapshot_.with([](const auto& current) { return current; });
}

Result<VersionHandle> Repository::find(std::string_view model, std::string_view version) const {
  const auto now = snapshot();
  const auto found = now->models.find(model);
  if (found == now->models.end()) return explain_missing(model, version);
  const auto& versions = found->second;
  if (version.empty()) return versions.back();
  const auto number = parse_uint64(version);
  if (!number || *number == 0) {
    return fail(Code::kInvalidArgument, fmt::format("version '{}' of model '{}': expected a positive number",
                                                    printable(version, 32), printable(model)));
  }
  const auto match =
      std::find_if(versions.begin(), versions.end(), [&](const auto& handle) { return handle->version == *number; });
  if (match == versions.end()) return explain_missing(model, version);
  return *match;
}

Result<std::vector<VersionHandle>> Repository::ready_versions(std::string_view model) const {
  const auto now = snapshot();
  const auto found = now->models.find(model);
  if (found == now->models.end()) return explain_missing(model, {});
  return found->second;
}

tl::unexpected<Error> Repository::explain_missing(std::string_view model, std::string_view version) const {
  const auto number = parse_uint64(version);
  std::vector<std::string> names;
  std::vector<std::string> versions;
  std::string reason;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      if (names.empty() || names.back() != key.first) names.push_back(key.first);
      if (key.first != model) continue;
      versions.push_back(std::to_string(key.second));
      const bool asked = version.empty() || number == key.second;
      if (asked) reason = entry.state == VersionState::kLoading ? "it is being loaded" : entry.reason;
    }
  }
  if (!reason.empty()) {
    const std::string which = version.empty() ? "" : fmt::format(" version {}", printable(version, 32));
    return fail(Code::kUnavailable, fmt::format("model '{}'{} is not ready: {}", printable(model), which, reason));
  }
  if (!versions.empty()) {
    return fail(Code::kNotFound, fmt::format("model '{}' has no version {}; it has {}", printable(model),
                                             printable(version, 32), fmt::join(versions, ", ")));
  }
  const auto nearest = nearest_name(model, names);
  return fail(Code::kNotFound, fmt::format("model '{}' not found{}", printable(model),
                                           nearest ? fmt::format("; did you mean '{}'?", *nearest)
                                                   : fmt::format("; {} models are known", names.size())));
}

std::vector<VersionStatus> Repository::statuses() const {
  std::vector<VersionStatus> rows;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    VersionStatus row;
    row.model = key.first;
    row.version = std::to_string(key.second);
    row.state = entry.state;
    row.reason = entry.reason;
    row.backend = entry.found.backend == nullptr ? "" : std::string(entry.found.backend->id());
    row.files_bytes = entry.found.files_bytes;
    row.load_ms = entry.load_ms;
    if (entry.handle) {
      row.signature = entry.handle->signature;
      row.scheduling = entry.handle->cost.description();
      for (auto& other : rows) other.is_default = other.is_default && other.model != row.model;
      row.is_default = true;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<IgnoredPath> Repository::ignored() const {
  const std::lock_guard lock(mutex_);
  return ignored_;
}

}  // namespace protean
