// SPDX-License-Identifier: Apache-2.0
// The life cycle in words: the table of models, and why a version cannot be had.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "core/error_reason.h"
#include "serving/scheduling/scheduling_status.h"
#include "serving/versions/life_cycle.h"

namespace protean {
namespace {

constexpr std::size_t kNamesComparedMax = 2000;  // for "did you mean"

std::string seconds(Duration wait) {
  const double value = std::chrono::duration<double>(std::max(wait, Duration::zero())).count();
  return value < 10 ? fmt::format("{:.1f} s", value) : fmt::format("{:.0f} s", value);
}

}  // namespace

std::string LifeCycle::reason_not_ready(const ModelRecord& model, const VersionRecord& version, TimePoint now) const {
  if (model.held_down) return "unloaded";
  if (!model.config_error.empty()) return model.config_error;
  if (version.coming) {
    const Incarnation& coming = *version.coming;
    const bool lazy = model.config->residency.on_demand || version.dormant;
    switch (coming.life) {
      case Life::kQueued: return "it waits to be loaded";
      case Life::kMakingRoom: return "it waits for memory";
      case Life::kFailed: return coming.reason;
      case Life::kRetryWait:
        if (lazy) {
          return fmt::format("{} (attempt {}, next when asked for, not before {})", coming.reason, coming.attempts,
                             seconds(coming.next_attempt - now));
        }
        return fmt::format("{} (attempt {} of {}, next in {})", coming.reason, coming.attempts,
                           model.config->retries.attempts_max, seconds(coming.next_attempt - now));
      default: return "it is being loaded";
    }
  }
  if (version.departing > 0 && !version.present) return "it is being unloaded";
  if (!version.note.empty()) return "asleep: " + version.note;
  const auto listed = model.slot->find(version.found.version);
  if (listed.wakes) return "asleep: loads when it is asked for";
  if (version.settled_at > now) return "its files are being written";
  return "the version policy does not choose it";
}

void LifeCycle::describe(const ModelRecord& model, const VersionRecord& version, TimePoint now,
                         VersionStatus& row) const {
  row.backend = version.found.backend == nullptr ? "" : std::string(version.found.backend->id());
  row.files_bytes = version.found.files_bytes;
  row.load_ms = version.load_ms;
  row.was_loaded = !version.fresh;
  for (const auto& [alias, number] : model.aliases) {
    if (number == version.found.version) row.aliases.push_back(alias);
  }
  const Life coming = version.coming ? version.coming->life : Life::kGone;
  if (version.serving) {
    const LoadedVersion& loaded = *version.serving->handle;
    row.state = VersionState::kReady;
    row.signature = loaded.signature;
    row.scheduling = loaded.cost.description();
    row.notes = loaded.notes;
    for (auto& line : scheduling_status(loaded)) row.notes.push_back(std::move(line));
    if (loaded.model) row.memory = loaded.model->memory();
    row.is_default = version.found.version == model.default_version;
    if (version.serving->life == Life::kRetiring)
      row.notes.emplace_back("not chosen any more; kept warm for a rollback");
    if (coming == Life::kFailed || coming == Life::kRetryWait) {
      row.reason =
          fmt::format("serving the files before; the new ones failed: {}", reason_not_ready(model, version, now));
    } else if (!model.config_error.empty()) {
      row.reason = fmt::format("serving with the configuration before; the new one failed: {}", model.config_error);
    } else if (!version.present) {
      row.reason = "its files are gone; it serves until another version is ready";
    }
    return;
  }
  row.reason = reason_not_ready(model, version, now);
  if (coming == Life::kFailed || coming == Life::kRetryWait) row.error = version.coming->error;
  row.state = VersionState::kUnavailable;
  if (version.coming && (coming == Life::kQueued || is_in_progress(coming))) {
    row.state = VersionState::kLoading;
  } else if (!model.held_down && model.slot->find(version.found.version).wakes) {
    row.state = VersionState::kAsleep;
    row.is_default = version.found.version == model.default_version;
  } else if (version.departing > 0 && !version.present) {
    row.state = VersionState::kUnloading;
  } else if (version.settled_at > now && !model.held_down && model.config_error.empty()) {
    row.state = VersionState::kLoading;
  }
}

std::vector<VersionStatus> LifeCycle::statuses(TimePoint now) const {
  std::vector<VersionStatus> rows;
  for (const auto& [name, model] : models_) {
    for (const auto& [number, version] : model.versions) {
      VersionStatus& row = rows.emplace_back();
      row.model = name;
      row.version = std::to_string(number);
      describe(model, version, now, row);
    }
  }
  return rows;
}

Result<std::vector<VersionStatus>> LifeCycle::versions_of(std::string_view name, std::string_view text,
                                                          TimePoint now) const {
  const auto found = models_.find(name);
  if (found == models_.end() || (found->second.versions.empty() && found->second.ended.empty())) {
    return tl::unexpected(explain(name, {}, now));
  }
  const ModelRecord& model = found->second;
  std::uint64_t only = parse_uint64(text).value_or(0);
  if (const auto alias = model.aliases.find(std::string(text)); alias != model.aliases.end()) only = alias->second;
  std::vector<VersionStatus> rows;
  for (const auto& [number, version] : model.versions) {
    if (!text.empty() && number != only) continue;
    VersionStatus& row = rows.emplace_back();
    row.model = found->first;
    row.version = std::to_string(number);
    describe(model, version, now, row);
  }
  for (const std::uint64_t number : model.ended) {
    if (model.versions.contains(number) || (!text.empty() && number != only)) continue;
    VersionStatus& row = rows.emplace_back();
    row.model = found->first;
    row.version = std::to_string(number);
    row.state = VersionState::kUnavailable;
    row.reason = "unloaded; its files are gone";
    row.was_loaded = true;
  }
  std::ranges::sort(rows, {}, [](const VersionStatus& row) { return parse_uint64(row.version).value_or(0); });
  if (rows.empty()) return tl::unexpected(explain(name, text, now));
  return rows;
}

bool LifeCycle::serves_requests() const noexcept {
  return std::any_of(resident_.begin(), resident_.end(), [&](const VersionKey& key) {
    const VersionRecord& version = models_.find(key.first)->second.versions.find(key.second)->second;
    if (!version.serving || !version.serving->handle) return false;
    const LoadedVersion& loaded = *version.serving->handle;
    return loaded.waiting.load() != 0 || loaded.lane.running.load() != 0;
  });
}

std::vector<Alias> LifeCycle::aliases(std::string_view only) const {
  std::vector<Alias> all;
  for (const auto& [name, model] : models_) {
    if (!only.empty() && only != name) continue;
    for (const auto& [alias, version] : model.aliases) all.push_back({name, alias, version});
  }
  return all;
}

Error LifeCycle::explain(std::string_view name, std::string_view text, TimePoint now) const {
  const auto found = models_.find(name);
  if (found == models_.end() || found->second.versions.empty()) {
    std::optional<std::string> nearest;
    if (models_.size() <= kNamesComparedMax) {
      std::vector<std::string> names;
      for (const auto& [known, model] : models_) names.push_back(known);
      nearest = nearest_name(name, names);
    }
    return fail_as(error_reason::kNoModel, Code::kNotFound,
                   fmt::format("model '{}' not found{}", printable(name),
                               nearest ? fmt::format("; did you mean '{}'?", *nearest)
                                       : fmt::format("; {} models are known", models_.size())))
        .value();
  }
  const ModelRecord& model = found->second;
  std::uint64_t number = parse_uint64(text).value_or(0);
  if (!text.empty() && number == 0) {
    const auto alias = model.aliases.find(std::string(text));
    if (alias == model.aliases.end()) {
      std::vector<std::string> names;
      for (const auto& [known, version] : model.aliases) names.push_back(known);
      return fail_as(error_reason::kNoAlias, Code::kNotFound,
                     fmt::format("model '{}' has no alias '{}'; it has {}", printable(name), printable(text),
                                 names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))))
          .value();
    }
    number = alias->second;
  }
  if (text.empty()) {
    const auto set = model.aliases.find("default");
    number = set != model.aliases.end() && !model.default_lost ? set->second : model.default_version;
    // Nothing serves: the newest version says why.
    if (number == 0) number = model.versions.rbegin()->first;
  }
  const auto version = model.versions.find(number);
  if (version == model.versions.end()) {
    std::vector<std::uint64_t> numbers;
    for (const auto& [known, record] : model.versions) numbers.push_back(known);
    return fail_as(error_reason::kNoVersion, Code::kNotFound,
                   fmt::format("model '{}' has no version {}; it has {}", printable(name), printable(text, 32),
                               fmt::join(numbers, ", ")))
        .value();
  }
  const std::string which = text.empty() ? "" : fmt::format(" version {}", printable(text, 32));
  return fail_as(error_reason::kNotReady, Code::kUnavailable,
                 fmt::format("model '{}'{} is not ready: {}", printable(name), which,
                             reason_not_ready(model, version->second, now)))
      .value();
}

}  // namespace protean
