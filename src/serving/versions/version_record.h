// SPDX-License-Identifier: Apache-2.0
// What the life cycle remembers about models and versions, and what it asks its surroundings to do.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/store.h"
#include "serving/loaded_version.h"
#include "serving/versions/directory.h"
#include "serving/versions/repository_scan.h"
#include "serving/versions/version_policy.h"
#include "serving/versions/version_state.h"

namespace protean {

/// What a source says about one model.  `versions`: empty when it is gone.  `aliases`: those it has from now on, where
/// configuration says so.
struct ModelFound {
  std::string model;
  std::vector<FoundVersion> versions;
  Result<std::shared_ptr<const ModelConfig>> config;
  std::optional<std::vector<std::pair<std::string, std::uint64_t>>> aliases = {};
};

/// One load to be done by a loader.  `replayed`: recent requests of the version that is the default now; `before`: how
/// that one shares out the processors.  `spare_bytes`: of the memory budget, that nobody else has claimed.
struct LoadJob {
  std::uint64_t id = 0;
  FoundVersion found;
  std::shared_ptr<const ModelConfig> config;
  std::vector<std::shared_ptr<const InferRequest>> replayed;
  std::optional<Threading> before;
  std::uint64_t spare_bytes = UINT64_MAX;
};

/// `handle`: the only one. When its last copy is gone the surroundings report departed(id).
struct LoadOutcome {
  VersionHandle handle;
  std::uint64_t private_bytes = 0;
};

using WaitDone = std::function<void(Result<VersionHandle>)>;
using CommandDone = std::function<void(Status)>;

/// To be carried out by whoever drives the life cycle, without its lock.
/// `released`: handles to be dropped.  `aliases`: moves of `previous` that followed from loads, for the store.
/// `gone`: versions of which nothing is left (their metrics may go).
struct Effects {
  std::vector<LoadJob> loads;
  std::vector<std::function<void()>> answers;
  std::vector<VersionHandle> released;
  std::vector<AliasChange> aliases;
  std::vector<HistoryRecord> history;
  std::vector<VersionKey> gone;
};

struct Incarnation {
  std::uint64_t id = 0;
  Life life = Life::kQueued;
  std::uint64_t fingerprint = 0;
  std::uint32_t attempts = 0;  // ended in failure
  TimePoint next_attempt{};
  TimePoint since{};                 // of the load
  TimePoint patience_ends = kNever;  // of waiting for evicted versions to leave
  std::uint64_t bytes = 0;           // measured; expected while loading
  std::pair<int, std::uint64_t> queue_place{};
  std::string actor;
  std::string reason;
  std::optional<Code> error;  // of the attempt that failed last
  VersionHandle handle;
};

struct Waiter {
  std::uint64_t id = 0;
  TimePoint deadline = kNever;
  WaitDone done;
};

struct VersionRecord {
  FoundVersion found;
  bool present = true;
  bool forced = false;
  bool commanded = false;
  bool dormant = false;
  bool fresh = true;
  bool stays = false;  // serving, and not to be evicted: it would not come back, or serves until another one does
  TimePoint settled_at{};
  TimePoint default_left_at = kNever;
  std::unique_ptr<Incarnation> serving;
  std::unique_ptr<Incarnation> coming;
  std::uint32_t departing = 0;
  std::uint64_t measured_bytes = 0;  // of the last load; 0: not known
  double load_ms = 0;
  std::string note;  // why it sleeps
  std::string actor = "folder";
  std::vector<Waiter> waiters;
};

/// A `load` by request, until all its versions have loaded or failed.
struct LoadCommand {
  std::set<std::uint64_t> pending;
  Status status;
  CommandDone done;
};

/// `slot` is in the directory while there are versions.
struct ModelRecord {
  std::map<std::uint64_t, VersionRecord> versions;
  std::map<std::string, std::uint64_t> aliases;
  std::shared_ptr<const ModelConfig> config = std::make_shared<const ModelConfig>();
  std::string config_error;
  bool held_down = false;
  bool in_directory = false;
  bool default_lost = false;  // the alias `default` points to a version that is gone
  std::uint64_t default_version = 0;
  TimePoint due = kNever;
  std::shared_ptr<ModelSlot> slot = std::make_shared<ModelSlot>();
  std::vector<LoadCommand> commands;
  std::set<std::uint64_t> ended;  // versions that were loaded once and of which nothing is left
};

}  // namespace protean
