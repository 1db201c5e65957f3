// SPDX-License-Identifier: Apache-2.0
// One model at a time: see what is so, ask the policy, carry its steps out, settle where requests go, publish.
#include "serving/versions/life_cycle.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace protean {
namespace {

constexpr std::string_view kDefault = "default";
constexpr std::string_view kPrevious = "previous";
constexpr std::size_t kEndedMax = 64;  // the newest of a model
constexpr int kRoundsMax = 100;        // of one model; a policy that never comes to rest is a bug

/// One share is the life cycle's, one the slot's; any other is a request's.
bool has_requests(const Incarnation& incarnation) noexcept { return incarnation.handle.use_count() > 2; }

TimePoint last_used(const Incarnation& incarnation) noexcept {
  return TimePoint(TimePoint::duration(incarnation.handle->last_used.load(std::memory_order_relaxed)));
}

}  // namespace

void LifeCycle::restore(const std::vector<Alias>& aliases, const std::vector<std::string>& held_down) {
  for (const auto& alias : aliases) models_[alias.model].aliases[alias.alias] = alias.version;
  for (const auto& model : held_down) models_[model].held_down = true;
}

void LifeCycle::found(ModelFound found, TimePoint now, bool at_once) {
  if (found.versions.empty() && !models_.contains(found.model)) return;
  ModelRecord& model = models_[found.model];
  mark(found.model);
  const bool readable = found.config.has_value();
  model.config_error = readable ? "" : found.config.error().message;
  if (readable) model.config = std::move(*found.config);
  if (found.aliases) set_configured_aliases(found.model, model, *found.aliases);
  for (auto& [number, version] : model.versions) {
    const bool was_present = version.present;
    version.present = std::any_of(found.versions.begin(), found.versions.end(),
                                  [n = number](const auto& v) { return v.version == n; });
    // Whoever writes a file anew empties it first: that is no removal yet.
    if (was_present && !version.present) version.settled_at = at_once ? now : now + options_.settle;
  }
  for (auto& version : found.versions) {
    const auto [place, is_new] = model.versions.try_emplace(version.version);
    VersionRecord& known = place->second;
    const bool changed = is_new || known.found.fingerprint != version.fingerprint;
    // With a configuration that cannot be read, what serves goes on as it is.
    if (!readable && !is_new && known.serving) continue;
    if (changed) {
      known.settled_at = now + options_.settle;
      known.actor = "folder";
      known.measured_bytes = 0;
    }
    if (at_once) known.settled_at = now;
    known.found = std::move(version);
  }
}

/// `previous` follows the default by itself; what people have set otherwise makes way.
void LifeCycle::set_configured_aliases(const std::string& name, ModelRecord& model,
                                       const std::vector<std::pair<std::string, std::uint64_t>>& wanted) {
  std::erase_if(model.aliases, [](const auto& alias) { return alias.first != kPrevious; });
  for (const auto& [alias, version] : wanted) model.aliases[alias] = version;
  if (model.in_directory) publish_route(name, model);
}

TimePoint LifeCycle::advance(TimePoint now) {
  expire(now);
  do {
    while (!dirty_.empty()) tend(std::string(*dirty_.begin()), now);
  } while (start_loads(now));
  TimePoint next = kNever;
  if (!due_.empty()) next = due_.begin()->first;
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  for (const auto& [id, key] : in_progress_) {
    next = std::min(next, record(key).coming->patience_ends);
  }
  if (!queue_.empty() && in_progress_.size() < options_.loads_max) {
    next = std::min(next, record(queue_.begin()->second).coming->patience_ends);
  }
  return next;
}

void LifeCycle::expire(TimePoint now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string name = due_.begin()->second;
    set_due(name, models_.at(name), kNever);
    mark(name);
  }
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::uint64_t id = deadlines_.begin()->second;
    const VersionKey key = waiters_.at(id);
    auto& waiters = record(key).waiters;
    const auto late = std::find_if(waiters.begin(), waiters.end(), [&](const auto& w) { return w.id == id; });
    Error error = fail(Code::kDeadlineExceeded,
                       fmt::format("model '{}' version {} was still being loaded", key.first, key.second))
                      .value();
    effects_.answers.push_back(
        [done = std::move(late->done), error = std::move(error)] { done(tl::unexpected(error)); });
    forget_waiter(*late);
    waiters.erase(late);
    mark(key.first);
  }
}

LifeCycle::View LifeCycle::view(const ModelRecord& model) const {
  View view;
  view.versions.reserve(model.versions.size());
  for (const auto& [number, version] : model.versions) {
    VersionView v;
    v.number = number;
    v.present = version.present;
    v.loadable = model.config_error.empty() || version.serving != nullptr;
    v.departing = version.departing > 0;
    v.returns = model.config_error.empty() && !(version.coming && version.coming->life == Life::kFailed);
    v.fingerprint = version.found.fingerprint;
    v.settled_at = version.settled_at;
    v.aliased = std::any_of(model.aliases.begin(), model.aliases.end(),
                            [n = number](const auto& alias) { return alias.second == n && alias.first != kPrevious; });
    v.is_default = model.default_version == number;
    v.asked = version.commanded || !version.waiters.empty();
    v.forced = version.forced;
    v.dormant = version.dormant;
    v.fresh = version.fresh;
    v.default_left_at = version.default_left_at;
    if (version.serving) {
      v.serving = true;
      v.retiring = version.serving->life == Life::kRetiring;
      v.in_flight = has_requests(*version.serving);
      v.serving_fingerprint = version.serving->fingerprint;
      v.last_used = last_used(*version.serving);
    }
    if (version.coming) {
      v.coming = version.coming->life;
      v.coming_fingerprint = version.coming->fingerprint;
      v.next_attempt = version.coming->next_attempt;
      v.exhausted = version.coming->attempts >= model.config->retries.attempts_max;
    }
    view.departing = view.departing || version.departing > 0;
    view.versions.push_back(v);
  }
  return view;
}

ModelView LifeCycle::policy_view(const ModelRecord& model, const View& view) {
  return {*model.config, view.versions, model.held_down, view.departing};
}

void LifeCycle::tend(const std::string& name, TimePoint now) {
  dirty_.erase(name);
  const auto found = models_.find(name);
  if (found == models_.end()) return;
  ModelRecord& model = found->second;
  View seen = view(model);
  for (int round = 0;; ++round) {
    PROTEAN_CHECK(round < kRoundsMax);
    const Decision decision = decide(policy_view(model, seen), now);
    for (const Step& step : decision.steps) carry_out(name, model, step, now);
    seen = view(model);
    const bool moved = settle_default(name, model, seen, now);
    if (moved) seen = view(model);
    if (decision.steps.empty() && !moved) {
      set_due(name, model, decision.look_again);
      break;
    }
  }
  publish(name, model, seen);
  answer_waiters(name, model, seen, now);
  if (model.versions.empty() && model.aliases.empty() && !model.held_down) {
    set_due(name, model, kNever);
    models_.erase(found);
  }
}

void LifeCycle::carry_out(const std::string& name, ModelRecord& model, const Step& step, TimePoint now) {
  const VersionKey key{name, step.version};
  VersionRecord& version = model.versions.at(step.version);
  switch (step.kind) {
    case Step::Kind::kQueue: return enqueue(key, model, version, now);
    case Step::Kind::kWithdraw:
      leave_queue(*version.coming);
      enter(*version.coming, Life::kGone);
      version.coming.reset();
      return end_commands(model, version, fail(Code::kAborted, "nobody wants it any more"));
    case Step::Kind::kRetire: return enter(*version.serving, Life::kRetiring);
    case Step::Kind::kRevive: return enter(*version.serving, Life::kReady);
    case Step::Kind::kSleep:
      version.note = "unused for a while";
      log_history("idle", "unload_model", name, fmt::format("version {}", step.version));
      return depart(key, version, std::move(version.serving));
    case Step::Kind::kUnload:
      log_history(version.actor, "unload_model", name, fmt::format("version {}", step.version));
      log::info("model unloaded", {{"model", name}, {"version", step.version}});
      return depart(key, version, std::move(version.serving));
    case Step::Kind::kForget:
      refuse_waiters(version,
                     fail(Code::kNotFound, fmt::format("model '{}' version {} is gone", name, step.version)).value());
      end_commands(model, version, fail(Code::kAborted, "its files are gone"));
      effects_.gone.push_back(key);
      if (!version.fresh) remember_ended(model, step.version);
      model.versions.erase(step.version);
      return;
  }
}

void LifeCycle::remember_ended(ModelRecord& model, std::uint64_t version) {
  model.ended.insert(version);
  if (model.ended.size() > kEndedMax) model.ended.erase(model.ended.begin());
}

bool LifeCycle::settle_default(const std::string& name, ModelRecord& model, const View& view, TimePoint now) {
  std::uint64_t next = automatic_default(policy_view(model, view)).value_or(0);
  const auto set = model.aliases.find(std::string(kDefault));
  bool lost = false;
  if (set != model.aliases.end()) {
    const auto target = model.versions.find(set->second);
    lost = !model.versions.empty() &&
           (target == model.versions.end() || (!target->second.present && !target->second.serving));
    if (!lost) next = set->second;
    if (lost != model.default_lost) {
      const std::string detail = fmt::format("default: version {} {}", set->second, lost ? "is gone" : "is back");
      log_history("folder", "set_alias", name, detail, lost ? "the newest ready version is the default" : "ok");
      log::warning(lost ? "default version is gone" : "default version is back",
                   {{"model", name}, {"version", set->second}, {"default", next}});
    }
  }
  const bool route_changes = lost != model.default_lost;
  model.default_lost = lost;
  if (route_changes) publish_route(name, model);
  const std::uint64_t last = model.default_version;
  if (next == last) return false;
  model.default_version = next;
  if (const auto left = model.versions.find(last); left != model.versions.end()) left->second.default_left_at = now;
  if (const auto taken = model.versions.find(next); taken != model.versions.end()) {
    taken->second.default_left_at = kNever;
  }
  // A move that nobody ordered; an ordered one has moved `previous` already.
  if (last != 0 && next != 0 && (set == model.aliases.end() || lost)) {
    model.aliases[std::string(kPrevious)] = last;
    effects_.aliases.push_back({name, std::string(kPrevious), last});
    log_history("folder", "set_alias", name, fmt::format("default: {} -> {}", last, next));
    publish_route(name, model);
  }
  return true;
}

void LifeCycle::publish(const std::string& name, ModelRecord& model, const View& view) {
  const bool listed = !model.versions.empty();
  ModelSlot::Versions versions;
  const ModelView seen = policy_view(model, view);
  for (std::size_t i = 0; i < view.versions.size(); ++i) {
    const VersionView& v = view.versions[i];
    VersionRecord& version = model.versions.at(v.number);
    version.stays = v.serving && (!v.returns || (!is_wanted(seen, i) && !v.retiring));
    if (version.serving) {
      versions.ready.push_back(version.serving->handle);
    } else if (is_wanted(seen, i) && (model.config->residency.on_demand || v.dormant) && v.coming != Life::kFailed) {
      versions.waking.push_back(v.number);
    }
  }
  versions.default_version = model.default_version;
  model.slot->swap(std::move(versions));  // what left is in the effects, so no model is taken apart here
  if (listed != model.in_directory) publish_route(name, model);
}

void LifeCycle::publish_route(const std::string& name, ModelRecord& model) {
  model.in_directory = !model.versions.empty();
  std::vector<Directory::Change> change;
  change.push_back({name, model.in_directory ? route(model) : nullptr});
  directory_.apply(std::move(change));
}

std::shared_ptr<const ModelRoute> LifeCycle::route(const ModelRecord& model) const {
  auto route = std::make_shared<ModelRoute>();
  route->slot = model.slot;
  route->aliases.assign(model.aliases.begin(), model.aliases.end());
  const auto set = model.aliases.find(std::string(kDefault));
  if (set != model.aliases.end() && !model.default_lost) route->default_version = set->second;
  return route;
}

void LifeCycle::answer_waiters(const std::string& name, ModelRecord& model, const View& view, TimePoint now) {
  const ModelView seen = policy_view(model, view);
  for (std::size_t i = 0; i < view.versions.size(); ++i) {
    VersionRecord& version = model.versions.at(view.versions[i].number);
    if (version.commanded && !version.coming && !is_wanted(seen, i)) {
      version.forced = false;
      end_commands(model, version, fail(Code::kAborted, "nobody wants it any more"));
    }
    if (version.waiters.empty()) continue;
    if (version.serving) {
      for (auto& waiter : version.waiters) {
        forget_waiter(waiter);
        effects_.answers.push_back([done = std::move(waiter.done), handle = version.serving->handle] { done(handle); });
      }
      version.waiters.clear();
    } else if (!is_wanted(seen, i) || view.versions[i].coming == Life::kFailed) {  // also if it failed a moment ago
      refuse_waiters(version, explain(name, std::to_string(view.versions[i].number), now));
    }
  }
}

void LifeCycle::set_due(const std::string& name, ModelRecord& model, TimePoint due) {
  if (model.due == due) return;
  if (model.due != kNever) due_.erase({model.due, name});
  model.due = due;
  if (due != kNever) due_.insert({due, name});
}

void LifeCycle::enter(Incarnation& incarnation, Life next) {
  PROTEAN_CHECK(may_follow(incarnation.life, next));
  incarnation.life = next;
}

void LifeCycle::depart(const VersionKey& key, VersionRecord& version, std::unique_ptr<Incarnation> incarnation) {
  if (incarnation->life == Life::kReady || incarnation->life == Life::kRetiring) resident_.erase(key);
  enter(*incarnation, Life::kUnloading);
  departing_[incarnation->id] = {key, incarnation->bytes};
  departing_bytes_ += incarnation->bytes;
  ++version.departing;
  effects_.released.push_back(std::move(incarnation->handle));
  mark(key.first);
}

void LifeCycle::departed(std::uint64_t load) {
  const auto found = departing_.find(load);
  if (found == departing_.end()) return;
  const auto [key, bytes] = found->second;
  departing_.erase(found);
  departing_bytes_ -= bytes;
  used_ -= bytes;
  --record(key).departing;
  mark(key.first);
}

void LifeCycle::log_history(std::string actor, std::string action, const std::string& model, std::string detail,
                            std::string outcome) {
  effects_.history.push_back(
      {0, {}, std::move(actor), std::move(action), model, std::move(detail), std::move(outcome)});
}

}  // namespace protean
