// SPDX-License-Identifier: Apache-2.0
// What is asked for from outside: load, unload, a version to wait for, and changes of aliases.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "serving/versions/life_cycle.h"

namespace protean {
namespace {

constexpr std::size_t kAliasBytesMax = 64;

bool is_alias_name(std::string_view name) {
  if (name.empty() || name.size() > kAliasBytesMax || name.front() < 'a' || name.front() > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
}

std::string version_or_none(std::uint64_t version) { return version == 0 ? "none" : std::to_string(version); }

}  // namespace

void LifeCycle::load_model(const std::string& name, const std::string& actor, CommandDone done, TimePoint now) {
  const auto answer = [&](Status status) {
    effects_.answers.push_back([done = std::move(done), status = std::move(status)] { done(status); });
  };
  const auto found = models_.find(name);
  if (found != models_.end()) found->second.held_down = false;
  if (found == models_.end() || found->second.versions.empty()) {
    return answer(fail(Code::kNotFound, fmt::format("model '{}' not found", printable(name))));
  }
  ModelRecord& model = found->second;
  mark(name);
  if (!model.config_error.empty()) {
    return answer(
        fail(Code::kFailedPrecondition, fmt::format("model '{}' did not load: {}", name, model.config_error)));
  }
  const View seen = view(model);
  LoadCommand command;
  for (std::size_t i = 0; i < seen.versions.size(); ++i) {
    if (!is_wanted(policy_view(model, seen), i)) continue;
    VersionRecord& version = model.versions.at(seen.versions[i].number);
    command.pending.insert(seen.versions[i].number);
    version.commanded = true;
    version.forced = !version.coming || !is_in_progress(version.coming->life);
    version.settled_at = std::min(version.settled_at, now);
    version.actor = actor;
    hurry({name, seen.versions[i].number}, version);
  }
  if (command.pending.empty()) {
    return answer(fail(Code::kNotFound, fmt::format("model '{}' has no version that its policy chooses", name)));
  }
  command.done = std::move(done);
  model.commands.push_back(std::move(command));
}

void LifeCycle::await_model(const std::string& name, CommandDone done) {
  const auto answer = [&](Status status) {
    effects_.answers.push_back([done = std::move(done), status = std::move(status)] { done(status); });
  };
  const auto found = models_.find(name);
  if (found == models_.end() || found->second.versions.empty()) {
    return answer(fail(Code::kNotFound, fmt::format("model '{}' not found", printable(name))));
  }
  ModelRecord& model = found->second;
  if (!model.config_error.empty()) return answer(fail(Code::kFailedPrecondition, model.config_error));
  const View seen = view(model);
  LoadCommand command;
  for (std::size_t i = 0; i < seen.versions.size(); ++i) {
    const VersionView& v = seen.versions[i];
    if (v.serving || !v.present || !is_wanted(policy_view(model, seen), i) || model.config->residency.on_demand)
      continue;
    if (v.exhausted) {
      return answer(fail(Code::kFailedPrecondition, fmt::format("model '{}' version {} did not load: {}", name,
                                                                v.number, model.versions.at(v.number).coming->reason)));
    }
    command.pending.insert(v.number);
    model.versions.at(v.number).commanded = true;
  }
  mark(name);
  if (command.pending.empty()) return answer({});
  command.done = std::move(done);
  model.commands.push_back(std::move(command));
}

Status LifeCycle::check_unload(const std::string& name) const {
  const auto found = models_.find(name);
  if (found != models_.end() && !found->second.versions.empty()) return {};
  return fail(Code::kNotFound, fmt::format("model '{}' not found", printable(name)));
}

bool LifeCycle::is_held_down(const std::string& name) const {
  const auto found = models_.find(name);
  return found != models_.end() && found->second.held_down;
}

void LifeCycle::unload_model(const std::string& name, const std::string& actor) {
  ModelRecord& model = models_.at(name);
  model.held_down = true;
  for (auto& [number, version] : model.versions) version.actor = actor;
  log::info("model unloaded by request", {{"model", name}});
  mark(name);
}

void LifeCycle::wait_for(const std::string& name, const std::string& text, TimePoint deadline, WaitDone done,
                         TimePoint now) {
  const auto answer = [&](Result<VersionHandle> result) {
    effects_.answers.push_back([done = std::move(done), result = std::move(result)] { done(result); });
  };
  const auto found = models_.find(name);
  const ModelRoute* route = directory_.find(name);
  if (found == models_.end() || route == nullptr) return answer(tl::unexpected(explain(name, text, now)));
  const auto number = parse_uint64(text);
  const std::uint64_t asked = text.empty() ? route->default_version : number ? *number : route->find_alias(text);
  const auto settled = asked == 0 && !text.empty() ? ModelSlot::Found{} : route->slot->find(asked);
  if (settled.handle) return answer(settled.handle);
  const auto target = found->second.versions.find(settled.version);
  if (!settled.wakes || target == found->second.versions.end()) return answer(tl::unexpected(explain(name, text, now)));
  VersionRecord& version = target->second;
  if (version.coming && version.coming->life == Life::kRetryWait && version.coming->next_attempt > now) {
    Error error = explain(name, std::to_string(target->first), now);
    error.retry_after = version.coming->next_attempt - now;
    return answer(tl::unexpected(std::move(error)));
  }
  if (deadline <= now) {
    return answer(fail(Code::kDeadlineExceeded, fmt::format("model '{}' has to be loaded first", name)));
  }
  if (waiters_.size() >= options_.waiters_max) {
    return answer(fail(Code::kResourceExhausted,
                       fmt::format("{} requests wait for models to be loaded already", waiters_.size())));
  }
  const VersionKey key{name, target->first};
  const std::uint64_t id = next_id_++;
  waiters_[id] = key;
  if (deadline != kNever) deadlines_.insert({deadline, id});
  version.waiters.push_back({id, deadline, std::move(done)});
  if (!version.coming) version.actor = "request";
  hurry(key, version);
  mark(name);
}

Status LifeCycle::check_target(const AliasChange& change, const ModelRecord& model) const {
  const auto target = model.versions.find(*change.version);
  if (target == model.versions.end() || (!target->second.present && !target->second.serving)) {
    return fail(Code::kNotFound, fmt::format("alias '{}' of model '{}': there is no version {}", change.alias,
                                             change.model, *change.version));
  }
  if (target->second.serving) return {};
  const ModelSlot::Found found = model.slot->find(*change.version);
  if (found.wakes) return {};
  return fail(Code::kFailedPrecondition,
              fmt::format("alias '{}' of model '{}': version {} is not ready: {}", change.alias, change.model,
                          *change.version, reason_not_ready(model, target->second, TimePoint{})));
}

Status LifeCycle::check_alias_change(const AliasChange& change) const {
  if (!is_alias_name(change.alias)) {
    return fail(Code::kInvalidArgument,
                fmt::format("alias '{}': expected a lower-case letter, then at most 63 of a-z, 0-9, '_', '-'",
                            printable(change.alias)));
  }
  if (change.alias == "previous") {
    return fail(Code::kInvalidArgument, "alias 'previous' follows 'default' by itself and cannot be set");
  }
  const auto model = models_.find(change.model);
  if (model == models_.end() || (model->second.versions.empty() && change.version)) {
    return fail(Code::kNotFound, fmt::format("model '{}' not found", printable(change.model)));
  }
  if (change.version) return check_target(change, model->second);
  if (model->second.aliases.contains(change.alias)) return {};
  return fail(Code::kNotFound, fmt::format("model '{}' has no alias '{}'", change.model, change.alias));
}

Result<AliasPlan> LifeCycle::plan_aliases(const std::vector<AliasChange>& changes, const std::string& actor) const {
  if (changes.empty()) return fail(Code::kInvalidArgument, "no alias to change is named");
  AliasPlan plan;
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& change : changes) {
    if (!seen.insert({change.model, change.alias}).second) {
      return fail(Code::kInvalidArgument, fmt::format("alias '{}' of model '{}' is changed twice",
                                                      printable(change.alias), printable(change.model)));
    }
    TRY_STATUS(check_alias_change(change));
    const ModelRecord& model = models_.find(change.model)->second;
    const auto known = model.aliases.find(change.alias);
    const std::uint64_t before = change.alias == "default"      ? model.default_version
                                 : known == model.aliases.end() ? 0
                                                                : known->second;
    plan.changes.push_back(change);
    plan.history.push_back({0,
                            {},
                            actor,
                            change.version ? "set_alias" : "remove_alias",
                            change.model,
                            fmt::format("{}: {} -> {}", change.alias, version_or_none(before),
                                        change.version ? std::to_string(*change.version) : "none"),
                            "ok"});
    if (change.alias == "default" && change.version && before != 0 && before != *change.version) {
      plan.changes.push_back({change.model, "previous", before});
    }
  }
  return plan;
}

void LifeCycle::apply_aliases(const AliasPlan& plan, TimePoint now) {
  std::set<std::string> touched;
  for (const auto& change : plan.changes) {
    ModelRecord& model = models_[change.model];
    if (change.version) {
      model.aliases[change.alias] = *change.version;
    } else {
      model.aliases.erase(change.alias);
    }
    if (change.alias == "default") model.default_lost = false;
    touched.insert(change.model);
  }
  std::vector<Directory::Change> changes;
  for (const auto& name : touched) {
    const ModelRecord& model = models_.at(name);
    if (model.in_directory) changes.push_back({name, route(model)});
    mark(name);
  }
  directory_.apply(std::move(changes));  // from here on every request sees all of them
  static_cast<void>(now);
}

void LifeCycle::refuse_all(const Error& error) {
  for (auto& [name, model] : models_) {
    for (auto& [number, version] : model.versions) {
      refuse_waiters(version, error);
      end_commands(model, version, tl::unexpected(error));
    }
  }
}

}  // namespace protean
