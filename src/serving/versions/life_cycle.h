// SPDX-License-Identifier: Apache-2.0
// Carries out what the policy decides: every model's versions, what is queued, loading, loaded and leaving, who waits
// for what, and where aliases point. Knows neither threads nor files nor the time: it is told what happened and when,
// changes the directory, and hands out effects. The repository drives it in earnest, the simulation in virtual time.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/operation.h"
#include "serving/versions/version_record.h"

namespace protean {

/// `memory_budget`: private bytes of all loaded versions together; 0: no limit.  `settle`: how long files must have
/// been unchanged.  `room_wait_max`: how long a load waits for evicted versions to end their last requests.
struct LifeCycleOptions {
  std::uint64_t memory_budget = 0;
  std::size_t loads_max = 1;
  std::size_t waiters_max = 4096;
  Duration settle{};
  Duration room_wait_max = std::chrono::seconds(10);
};

/// A checked change of aliases: to be made durable, then applied.
struct AliasPlan {
  std::vector<AliasChange> changes;
  std::vector<HistoryRecord> history;
};

/// Not thread-safe: the driver serialises. Nothing here blocks.
class LifeCycle {
 public:
  /// `directory` outlives it and is changed by nobody else.
  LifeCycle(LifeCycleOptions options, Directory& directory) : options_(options), directory_(directory) {}

  // What was kept from before; before anything else.
  void restore(const std::vector<Alias>& aliases, const std::vector<std::string>& held_down);

  // What happened.
  /// `at_once`: the files need no time to settle.
  void found(ModelFound model, TimePoint now, bool at_once);
  void warming(std::uint64_t load);
  void load_finished(std::uint64_t load, Result<LoadOutcome> outcome, TimePoint now);
  void departed(std::uint64_t load);

  // What is asked for. Each `done` is called once, through the effects.
  /// After found() has told what lies there now.
  void load_model(const std::string& model, const std::string& actor, CommandDone done, TimePoint now);
  /// `done` follows when every version that is wanted serves or has failed, with the first failure; loads nothing anew.
  void await_model(const std::string& model, CommandDone done);
  /// Whether it is known, else kNotFound.
  [[nodiscard]] Status check_unload(const std::string& model) const;
  [[nodiscard]] bool is_held_down(const std::string& model) const;
  /// Requires check_unload().
  void unload_model(const std::string& model, const std::string& actor);
  void wait_for(const std::string& model, const std::string& version, TimePoint deadline, WaitDone done, TimePoint now);
  /// Errors: kInvalidArgument (names), kNotFound (model, version, alias), kFailedPrecondition (not ready); the message
  /// names the change. Nothing is changed.
  [[nodiscard]] Result<AliasPlan> plan_aliases(const std::vector<AliasChange>& changes, const std::string& actor) const;
  void apply_aliases(const AliasPlan& plan, TimePoint now);

  /// Does all there is to do.  Returns when to call again although nothing happens; kNever if not.
  [[nodiscard]] TimePoint advance(TimePoint now);
  [[nodiscard]] Effects take_effects() { return std::exchange(effects_, {}); }
  /// Answers whoever waits with this error.
  void refuse_all(const Error& error);

  // What is so.
  /// Requests wait for a loaded version or run on it, as far as one look can tell.
  [[nodiscard]] bool serves_requests() const noexcept;
  /// Nothing queued and nothing loading.
  [[nodiscard]] bool quiet() const noexcept { return queue_.empty() && in_progress_.empty(); }
  [[nodiscard]] std::vector<VersionStatus> statuses(TimePoint now) const;
  /// Of one model; `version`: a number, an alias, or empty for all.  Errors: kNotFound, as explain() words it.
  [[nodiscard]] Result<std::vector<VersionStatus>> versions_of(std::string_view model, std::string_view version,
                                                               TimePoint now) const;
  [[nodiscard]] std::vector<Alias> aliases(std::string_view model) const;
  /// Why `version` of `model` cannot be had now.
  [[nodiscard]] Error explain(std::string_view model, std::string_view version, TimePoint now) const;
  [[nodiscard]] std::uint64_t memory_used() const noexcept { return used_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }

 private:
  using Models = std::map<std::string, ModelRecord, std::less<>>;
  struct View {
    std::vector<VersionView> versions;
    bool departing = false;
  };

  // life_cycle.cc: one model at a time
  void tend(const std::string& name, TimePoint now);
  [[nodiscard]] View view(const ModelRecord& model) const;
  [[nodiscard]] static ModelView policy_view(const ModelRecord& model, const View& view);
  void carry_out(const std::string& name, ModelRecord& model, const Step& step, TimePoint now);
  bool settle_default(const std::string& name, ModelRecord& model, const View& view, TimePoint now);
  void publish(const std::string& name, ModelRecord& model, const View& view);
  void publish_route(const std::string& name, ModelRecord& model);
  [[nodiscard]] std::shared_ptr<const ModelRoute> route(const ModelRecord& model) const;
  void answer_waiters(const std::string& name, ModelRecord& model, const View& view, TimePoint now);
  void set_due(const std::string& name, ModelRecord& model, TimePoint due);
  void set_configured_aliases(const std::string& name, ModelRecord& model,
                              const std::vector<std::pair<std::string, std::uint64_t>>& wanted);
  static void remember_ended(ModelRecord& model, std::uint64_t version);
  void expire(TimePoint now);
  void mark(const std::string& name) { dirty_.insert(name); }
  static void enter(Incarnation& incarnation, Life next);
  void depart(const VersionKey& key, VersionRecord& version, std::unique_ptr<Incarnation> incarnation);
  void log_history(std::string actor, std::string action, const std::string& model, std::string detail,
                   std::string outcome = "ok");

  // life_cycle_loads.cc: loads and memory, all models together
  void enqueue(const VersionKey& key, ModelRecord& model, VersionRecord& version, TimePoint now);
  void leave_queue(Incarnation& incarnation);
  void hurry(const VersionKey& key, VersionRecord& version);
  bool start_loads(TimePoint now);
  bool start_load(const VersionKey& key, TimePoint now);
  void admit(std::uint64_t load, TimePoint now);
  /// kFits: go on. Otherwise what had to be done was done (evictions, a failure, sleep).
  RoomAnswer::Kind make_room(const VersionKey& key, std::uint64_t needed, bool measured, TimePoint now);
  [[nodiscard]] RoomQuestion room_question(const VersionKey& key, std::uint64_t needed) const;
  [[nodiscard]] std::vector<Resident> residents(const VersionKey& beneficiary) const;
  [[nodiscard]] bool may_evict(const ModelRecord& model, const VersionRecord& version) const;
  [[nodiscard]] std::uint64_t expected_bytes(const VersionRecord& version, bool asked) const;
  void evict(const VersionKey& key, const std::string& beneficiary);
  void fall_asleep(const VersionKey& key, std::string why);
  void become_ready(const VersionKey& key, TimePoint now);
  void fail_load(const VersionKey& key, const Error& error, TimePoint now);
  void end_commands(ModelRecord& model, VersionRecord& version, const Status& status);
  void refuse_waiters(VersionRecord& version, const Error& error);
  void forget_waiter(const Waiter& waiter);
  [[nodiscard]] VersionRecord& record(const VersionKey& key) {
    return models_.find(key.first)->second.versions.at(key.second);
  }

  // life_cycle_aliases.cc
  [[nodiscard]] Status check_alias_change(const AliasChange& change) const;
  [[nodiscard]] Status check_target(const AliasChange& change, const ModelRecord& model) const;

  // life_cycle_status.cc
  void describe(const ModelRecord& model, const VersionRecord& version, TimePoint now, VersionStatus& row) const;
  [[nodiscard]] std::string reason_not_ready(const ModelRecord& model, const VersionRecord& version,
                                             TimePoint now) const;

  const LifeCycleOptions options_;
  Directory& directory_;
  Models models_;
  std::unordered_set<std::string> dirty_;
  std::set<std::pair<TimePoint, std::string>> due_;
  std::map<std::pair<int, std::uint64_t>, VersionKey> queue_;                          // (urgency, order)
  std::map<std::uint64_t, VersionKey> in_progress_;                                    // loads
  std::unordered_map<std::uint64_t, std::pair<VersionKey, std::uint64_t>> departing_;  // loads -> bytes
  std::set<VersionKey> resident_;
  std::set<std::pair<TimePoint, std::uint64_t>> deadlines_;
  std::unordered_map<std::uint64_t, VersionKey> waiters_;
  std::uint64_t used_ = 0;             // bytes of resident and departing versions
  std::uint64_t departing_bytes_ = 0;  // part of used_
  std::uint64_t measured_files_ = 0;   // of all loads, to guess the memory of the next from its files
  std::uint64_t measured_memory_ = 0;
  std::uint64_t next_id_ = 1;
  Effects effects_;
};

}  // namespace protean
