// SPDX-License-Identifier: Apache-2.0
// Loads and the memory they share: what is queued starts in order of need, makes room for itself, and ends ready,
// waiting for another attempt, or failed.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "serving/versions/life_cycle.h"
#include "serving/versions/recent_requests.h"

namespace protean {
namespace {

// Somebody waits < the model has nothing else to offer < the rest.
constexpr int kAsked = 0;
constexpr int kFirstOfModel = 1;
constexpr int kFurther = 2;

bool is_asked(const VersionRecord& version) { return version.commanded || !version.waiters.empty(); }

bool is_lazy(const ModelRecord& model, const VersionRecord& version) {
  return model.config->residency.on_demand || version.dormant;
}

}  // namespace

void LifeCycle::enqueue(const VersionKey& key, ModelRecord& model, VersionRecord& version, TimePoint now) {
  const bool anything_serves = std::any_of(model.versions.begin(), model.versions.end(),
                                           [](const auto& item) { return item.second.serving != nullptr; });
  if (!version.coming) {
    version.coming = std::make_unique<Incarnation>();
    version.coming->id = next_id_++;
  } else {
    enter(*version.coming, Life::kQueued);
    if (version.coming->fingerprint != version.found.fingerprint || version.forced) version.coming->attempts = 0;
  }
  Incarnation& coming = *version.coming;
  coming.fingerprint = version.found.fingerprint;
  coming.since = now;
  coming.reason.clear();
  const int urgency = is_asked(version) ? kAsked : (anything_serves ? kFurther : kFirstOfModel);
  coming.queue_place = {urgency, next_id_++};
  queue_[coming.queue_place] = key;
}

void LifeCycle::leave_queue(Incarnation& incarnation) {
  if (incarnation.life == Life::kQueued) queue_.erase(incarnation.queue_place);
}

void LifeCycle::hurry(const VersionKey& key, VersionRecord& version) {
  if (!version.coming || version.coming->life != Life::kQueued || version.coming->queue_place.first == kAsked) return;
  leave_queue(*version.coming);
  version.coming->queue_place.first = kAsked;
  queue_[version.coming->queue_place] = key;
}

bool LifeCycle::start_loads(TimePoint now) {
  std::vector<std::uint64_t> making_room;
  for (const auto& [id, key] : in_progress_) {
    if (record(key).coming->life == Life::kMakingRoom) making_room.push_back(id);
  }
  for (const std::uint64_t id : making_room) {
    if (dirty_.empty()) admit(id, now);
  }
  while (dirty_.empty() && !queue_.empty() && in_progress_.size() < options_.loads_max) {
    if (!start_load(VersionKey(queue_.begin()->second), now)) break;
  }
  return !dirty_.empty();
}

bool LifeCycle::start_load(const VersionKey& key, TimePoint now) {
  ModelRecord& model = models_.at(key.first);
  VersionRecord& version = model.versions.at(key.second);
  const std::uint64_t expected = expected_bytes(version, may_evict(model, version));
  if (make_room(key, expected, false, now) != RoomAnswer::Kind::kFits) return false;
  Incarnation& coming = *version.coming;
  leave_queue(coming);
  enter(coming, Life::kLoading);
  coming.fingerprint = version.found.fingerprint;  // the files may have changed while it was queued
  coming.since = now;
  coming.bytes = expected;
  coming.actor = version.actor;
  version.forced = false;
  in_progress_[coming.id] = key;
  LoadJob job{coming.id, version.found, model.config, {}, {}, UINT64_MAX};
  const auto before = model.versions.find(model.default_version);
  if (before != model.versions.end() && before->second.serving) {
    const LoadedVersion& loaded = *before->second.serving->handle;
    if (loaded.recent) job.replayed = loaded.recent->sample();
    job.before = loaded.threading;
  }
  if (options_.memory_budget != 0) {
    const RoomQuestion room = room_question(key, expected);
    job.spare_bytes = room.budget - std::min(room.budget, room.used + room.reserved);
  }
  effects_.loads.push_back(std::move(job));
  return true;
}

void LifeCycle::warming(std::uint64_t load) {
  const auto found = in_progress_.find(load);
  if (found == in_progress_.end()) return;
  Incarnation& coming = *record(found->second).coming;
  if (coming.life == Life::kLoading) enter(coming, Life::kWarming);
}

void LifeCycle::load_finished(std::uint64_t load, Result<LoadOutcome> outcome, TimePoint now) {
  const VersionKey key = in_progress_.at(load);
  ModelRecord& model = models_.at(key.first);
  VersionRecord& version = model.versions.at(key.second);
  Incarnation& coming = *version.coming;
  version.load_ms = std::chrono::duration<double, std::milli>(now - coming.since).count();
  mark(key.first);
  if (!outcome) {
    in_progress_.erase(load);
    return fail_load(key, outcome.error(), now);
  }
  coming.handle = std::move(outcome->handle);
  coming.bytes = outcome->private_bytes;
  version.measured_bytes = coming.bytes;
  measured_files_ += version.found.files_bytes;
  measured_memory_ += coming.bytes;
  enter(coming, Life::kMakingRoom);  // and admitted once what else happened meanwhile is settled
}

void LifeCycle::admit(std::uint64_t load, TimePoint now) {
  const VersionKey key = in_progress_.at(load);
  ModelRecord& model = models_.at(key.first);
  VersionRecord& version = model.versions.at(key.second);
  if (model.held_down || !version.present) {
    in_progress_.erase(load);
    used_ += version.coming->bytes;
    depart(key, version, std::move(version.coming));
    return end_commands(model, version, fail(Code::kAborted, "nobody wants it any more"));
  }
  if (make_room(key, version.coming->bytes, true, now) != RoomAnswer::Kind::kFits) return;
  in_progress_.erase(load);
  become_ready(key, now);
}

RoomAnswer::Kind LifeCycle::make_room(const VersionKey& key, std::uint64_t needed, bool loaded, TimePoint now) {
  using Kind = RoomAnswer::Kind;
  ModelRecord& model = models_.at(key.first);
  VersionRecord& version = model.versions.at(key.second);
  if (options_.memory_budget == 0) return Kind::kFits;
  const bool evicts = may_evict(model, version);
  RoomQuestion question = room_question(key, needed);
  RoomAnswer answer = room_for(question);
  std::vector<Resident> evictable;
  if (answer.kind != Kind::kFits && answer.kind != Kind::kWaitForDeparting && evicts) {
    evictable = residents(key);
    question.evictable = evictable;
    answer = room_for(question);
  }
  if (answer.kind == Kind::kFits) {
    version.coming->patience_ends = kNever;
    return answer.kind;
  }
  if (answer.kind == Kind::kEvict) {
    for (const auto& victim : answer.victims) evict(victim, key.first);
    return Kind::kEvict;
  }
  if (answer.kind == Kind::kWaitForDeparting) {
    TimePoint& patience_ends = version.coming->patience_ends;
    if (patience_ends == kNever) patience_ends = now + options_.room_wait_max;
    if (now < patience_ends) return answer.kind;
    answer.reason = fmt::format("needs {} of memory; {} of evicted versions are still held by requests in flight",
                                format_megabytes(needed), format_megabytes(question.departing));
  }
  if (loaded) {
    const std::uint64_t id = version.coming->id;
    in_progress_.erase(id);
    auto dropped = std::make_unique<Incarnation>(*version.coming);
    used_ += dropped->bytes;
    version.coming->handle.reset();
    depart(key, version, std::move(dropped));
    version.coming->id = next_id_++;
    version.coming->life = Life::kLoading;  // as an attempt that found no room
  }
  mark(key.first);
  if (evicts) {
    fail_load(key, fail(Code::kResourceExhausted, answer.reason).value(), now);
  } else {
    fall_asleep(key, answer.reason);
  }
  return Kind::kDoesNotFit;
}

RoomQuestion LifeCycle::room_question(const VersionKey& key, std::uint64_t needed) const {
  RoomQuestion question;
  question.budget = options_.memory_budget;
  question.used = used_;
  question.departing = departing_bytes_;
  question.needed = needed;
  for (const auto& [id, other] : in_progress_) {
    if (other != key) question.reserved += models_.find(other.first)->second.versions.at(other.second).coming->bytes;
  }
  return question;
}

std::vector<Resident> LifeCycle::residents(const VersionKey& beneficiary) const {
  std::vector<Resident> all;
  for (const auto& key : resident_) {
    const ModelRecord& model = models_.find(key.first)->second;
    if (model.config->residency.pinned) continue;
    // The version that serves until the new one is ready is what the new one is not to cost.
    if (key.first == beneficiary.first && key.second == model.default_version) continue;
    const VersionRecord& version = model.versions.at(key.second);
    if (version.stays) continue;
    const Incarnation& serving = *version.serving;
    const bool aliased = std::any_of(model.aliases.begin(), model.aliases.end(), [&](const auto& alias) {
      return alias.second == key.second && alias.first != "previous";
    });
    all.push_back({key, serving.bytes, serving.handle.use_count() > 2, serving.life == Life::kRetiring, aliased,
                   TimePoint(TimePoint::duration(serving.handle->last_used.load(std::memory_order_relaxed)))});
  }
  return all;
}

/// A start-up load that nobody waits for takes no memory from others; it sleeps until asked for.
bool LifeCycle::may_evict(const ModelRecord& model, const VersionRecord& version) const {
  return is_asked(version) || model.config->residency.pinned ||
         std::any_of(model.versions.begin(), model.versions.end(),
                     [](const auto& item) { return item.second.serving != nullptr; });
}

/// Measured when it was loaded before. Otherwise nothing is known: who may evict loads and then sees, unless the files
/// alone pass the budget, where trying may cost the process; the others go by their files and what others' files
/// turned out to need.
std::uint64_t LifeCycle::expected_bytes(const VersionRecord& version, bool evicts) const {
  if (version.measured_bytes != 0) return version.measured_bytes;
  if (evicts) return version.found.files_bytes > options_.memory_budget ? version.found.files_bytes : 0;
  const double ratio =
      measured_files_ == 0
          ? 1.0
          : std::min(4.0, static_cast<double>(measured_memory_) / static_cast<double>(measured_files_));
  return static_cast<std::uint64_t>(static_cast<double>(version.found.files_bytes) * ratio);
}

void LifeCycle::evict(const VersionKey& key, const std::string& beneficiary) {
  VersionRecord& version = record(key);
  version.dormant = true;
  version.note = fmt::format("evicted to make room for model '{}'", beneficiary);
  log_history("memory", "evict_model", key.first, fmt::format("version {}: {}", key.second, version.note));
  log::info("model evicted", {{"model", key.first}, {"version", key.second}, {"for", beneficiary}});
  depart(key, version, std::move(version.serving));
}

void LifeCycle::fall_asleep(const VersionKey& key, std::string why) {
  VersionRecord& version = record(key);
  leave_queue(*version.coming);
  enter(*version.coming, Life::kGone);
  version.coming.reset();
  version.dormant = true;
  version.forced = false;
  version.note = std::move(why);
}

void LifeCycle::become_ready(const VersionKey& key, TimePoint now) {
  ModelRecord& model = models_.at(key.first);
  VersionRecord& version = model.versions.at(key.second);
  if (version.serving) depart(key, version, std::move(version.serving));
  enter(*version.coming, Life::kReady);
  version.serving = std::move(version.coming);
  version.serving->attempts = 0;
  used_ += version.serving->bytes;
  resident_.insert(key);
  version.dormant = false;
  version.fresh = false;
  version.note.clear();
  version.serving->handle->last_used.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  log_history(version.serving->actor, "load_model", key.first,
              fmt::format("version {} in {:.0f} ms", key.second, version.load_ms));
  log::info("model loaded", {{"model", key.first}, {"version", key.second}, {"load_ms", version.load_ms}});
  end_commands(model, version, {});
  mark(key.first);
}

void LifeCycle::fail_load(const VersionKey& key, const Error& error, TimePoint now) {
  ModelRecord& model = models_.at(key.first);
  VersionRecord& version = model.versions.at(key.second);
  Incarnation& coming = *version.coming;
  leave_queue(coming);
  ++coming.attempts;
  coming.reason = error.message;
  coming.error = error.code;
  coming.bytes = 0;
  coming.patience_ends = kNever;
  version.forced = false;
  const LoadRetries& retries = model.config->retries;
  const bool same_as_serving = version.serving && version.serving->fingerprint == coming.fingerprint;
  // What loads only when asked for may be asked for again; new files of a version that serves are nobody's request.
  const bool waits_to_be_asked = is_lazy(model, version) && !version.serving;
  const bool again = error.code != Code::kInvalidArgument && !same_as_serving &&
                     (coming.attempts < retries.attempts_max || waits_to_be_asked);
  enter(coming, again ? Life::kRetryWait : Life::kFailed);
  coming.next_attempt = again ? now + retry_wait(retries, coming.attempts) : kNever;
  log_history(version.actor, "load_model", key.first, fmt::format("version {}", key.second), error.message);
  log::error("model not loaded", {{"model", key.first},
                                  {"version", key.second},
                                  {"attempt", static_cast<std::int64_t>(coming.attempts)},
                                  {"reason", error.message}});
  Error refusal = explain(key.first, std::to_string(key.second), now);
  if (again) refusal.retry_after = coming.next_attempt - now;
  refuse_waiters(version, refusal);
  end_commands(model, version,
               fail(Code::kFailedPrecondition,
                    fmt::format("model '{}' version {} did not load: {}", key.first, key.second, error.message)));
  mark(key.first);
}

void LifeCycle::end_commands(ModelRecord& model, VersionRecord& version, const Status& status) {
  version.commanded = false;
  version.forced = false;  // or it would be loaded again and again for a command that is over
  for (auto& command : model.commands) {
    if (command.pending.erase(version.found.version) == 0) continue;
    if (!status && command.status) command.status = status;
    if (!command.pending.empty()) continue;
    effects_.answers.push_back([done = std::move(command.done), status = std::move(command.status)] { done(status); });
  }
  std::erase_if(model.commands, [](const auto& command) { return command.pending.empty(); });
}

void LifeCycle::refuse_waiters(VersionRecord& version, const Error& error) {
  for (auto& waiter : version.waiters) {
    forget_waiter(waiter);
    effects_.answers.push_back([done = std::move(waiter.done), error] { done(tl::unexpected(error)); });
  }
  version.waiters.clear();
}

void LifeCycle::forget_waiter(const Waiter& waiter) {
  waiters_.erase(waiter.id);
  if (waiter.deadline != kNever) deadlines_.erase({waiter.deadline, waiter.id});
}

}  // namespace protean
