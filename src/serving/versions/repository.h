// SPDX-License-Identifier: Apache-2.0
// The models being served. One control thread drives the life cycle: it is told what lies in the folder, what people
// ask for and how loads ended, and carries out what follows. Requests look versions up without waiting for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "core/operation.h"
#include "core/store.h"
#include "serving/loaded_version.h"
#include "serving/versions/directory.h"
#include "serving/versions/folder_source.h"
#include "serving/versions/history_writer.h"
#include "serving/versions/life_cycle.h"
#include "serving/versions/load_pipeline.h"
#include "serving/versions/loader_thread.h"
#include "serving/versions/reaper.h"

namespace protean {

/// `watch`: false: what lies there at the start, and models loaded by request.  `settle`: how long files must have been
/// unchanged before they are read.  `memory_budget`: private bytes of all loaded versions; 0: no limit.
/// `waiters_max`: requests that may wait for loads.  `run_threads`: that run models; with more than one, instances and
/// threads of models that configure none are chosen by measurement.  `intra_op_threads`: inside runs of models that
/// configure nothing; 0: to be chosen as well.
/// `folder`: empty: only the models of `entries`, which are those that are named with a path of their own.
/// `entry_defaults`: what holds for entries, those that come later included, that say nothing themselves.
struct RepositoryOptions {
  std::filesystem::path folder;
  bool watch = true;
  std::chrono::milliseconds poll_interval{5000};
  std::chrono::milliseconds settle{200};
  std::uint64_t memory_budget = 0;
  std::size_t loaders = 1;
  std::size_t waiters_max = 4096;
  std::uint32_t run_threads = 1;
  std::uint32_t intra_op_threads = 0;
  std::vector<ModelEntry> entries = {};
  ModelEntry entry_defaults = {};
};

/// What the repository works with; all outlive it.  `store`: null: aliases and history end with the process.
/// `config`: null: defaults.  `decode`: for recorded requests; null: they are not read.  `probe`: null:
/// probe_batching().  `recordings`: of other products' formats; null: they are not read.
struct RepositoryParts {
  std::vector<Backend*> backends;
  metrics::Registry& registry;
  Store* store = nullptr;
  ConfigReader config;
  RequestDecoder decode;
  std::function<BatchFacts(Model&)> probe;
  const Clock* clock = &Clock::system();
  RecordedCallReader recordings = {};
};

class Repository {
 public:
  Repository(RepositoryOptions options, RepositoryParts parts);
  ~Repository();

  /// Looks, loads everything that is not on demand once, then goes on in the background.
  /// Errors: when the folder or the store cannot be read. A model that does not load is no error.
  Status start();
  /// Ends loading and watching; loaded versions stay available to requests. Who waits is refused.
  void stop();

  /// `version`: a number, an alias, or empty for the default.
  /// Errors: kNotFound (unknown model, version or alias; names the nearest), kInvalidArgument (neither a positive
  /// number nor an alias), kUnavailable (known, not ready; with the reason).  Thread-safe; never waits for a load.
  [[nodiscard]] Result<VersionHandle> find(std::string_view model, std::string_view version) const;
  /// The same for a request: counts as a use, and allocates nothing when the version is there. nullopt: it sleeps, and
  /// wait_for_load() has it loaded.  Thread-safe.
  [[nodiscard]] std::optional<Result<VersionHandle>> acquire(std::string_view model, std::string_view version) const;
  /// `done` is called once, on the control thread (it must be quick): with the version as soon as it is there, with
  /// the reason why it cannot be had, kDeadlineExceeded or (too many wait) kResourceExhausted; on this thread when the
  /// repository has stopped.  Thread-safe.
  void wait_for_load(std::string_view model, std::string_view version, TimePoint deadline, WaitDone done);
  /// Whether a request would get it, now or after a load it can wait for.  Errors: as find().
  [[nodiscard]] Result<bool> available(std::string_view model, std::string_view version) const;
  /// All ready versions of a model, ascending.  Errors: as find().
  [[nodiscard]] Result<std::vector<VersionHandle>> ready_versions(std::string_view model) const;
  /// One row per known version, ascending by name and number.  Thread-safe.
  [[nodiscard]] std::vector<VersionStatus> statuses() const;
  /// The rows of one model; `version`: a number, an alias, or empty for all.
  /// Errors: kNotFound with a reason of core/error_reason.h.  Thread-safe.
  [[nodiscard]] Result<std::vector<VersionStatus>> versions_of(std::string_view model, std::string_view version) const;
  [[nodiscard]] std::vector<IgnoredPath> ignored() const;
  /// Of one model, or of all when empty.  Thread-safe.
  [[nodiscard]] std::vector<Alias> aliases(std::string_view model) const;
  /// Errors: kUnavailable without a store.  Blocks on the store.
  [[nodiscard]] Result<std::vector<HistoryRecord>> history(const HistoryQuery& query) const;

  using Done = CommandDone;
  /// Reads the model's files again and loads them, also if they did not change or had been unloaded.
  /// `done` is called on the control thread: kNotFound, or the reason of the first version that failed.
  void load_model(std::string model, std::string actor, Done done);
  /// Takes the model out of service until load_model(), also after a restart; its files stay.
  /// Errors: kNotFound, those of the store.
  void unload_model(std::string model, std::string actor, Done done);
  /// From now on these are the models that are named with a path; others so named go. `done` follows when all versions
  /// that are wanted of them serve.  Errors: kInvalidArgument (nothing is changed), the first load that failed,
  /// kFailedPrecondition for an alias to a version that does not serve (the change stays in force).
  void replace_models(ReplaceModels models, Done done);
  /// All of them or none, durable when `done` says so.  Errors: as LifeCycle::plan_aliases() and
  /// Store::change_aliases().
  void change_aliases(ChangeAliases changes, Done done);

  /// The clock was moved by hand: look at it.
  void look_at_clock();

 private:
  using Event = std::function<void(TimePoint now)>;  // on the control thread, under mutex_

  void run();
  void post(Event event);
  /// Runs `event`, or refuses through `done` when stopped.
  void command(Event event, const std::shared_ptr<Done>& done);
  void take(FolderSource::Report report);
  void perform(Effects effects);
  void finish_what_was_asked();
  void start_load(LoadJob job);
  void finish_load_command(std::uint64_t request, TimePoint now);
  void finish_replacing(std::uint64_t request);
  [[nodiscard]] Status check_aliases(const std::vector<ModelEntry>& models) const;
  void change_held_down(std::string model, bool held, std::string actor, const std::shared_ptr<Done>& done);
  [[nodiscard]] std::shared_ptr<ModelMetrics> metrics_of(const VersionKey& key);
  [[nodiscard]] tl::unexpected<Error> explain(std::string_view model, std::string_view version) const;

  const RepositoryOptions options_;
  const RepositoryParts parts_;
  const std::shared_ptr<Reaper> reaper_;
  Directory directory_;

  mutable std::mutex mutex_;          // the life cycle's; never held while anything blocks
  LifeCycle life_;                    // guarded by mutex_
  std::vector<IgnoredPath> ignored_;  // guarded by mutex_

  /// Outlives the repository with the last handle of a version, and then leads nowhere.
  struct Doorbell {
    std::mutex mutex;
    Repository* repository = nullptr;  // guarded by mutex
  };

  struct LoadCommandRequest {
    std::string model;
    std::string actor;
    std::shared_ptr<Done> done;
  };
  // Control thread only.
  std::unordered_map<std::uint64_t, LoadCommandRequest> load_commands_;
  std::unordered_map<std::uint64_t, std::pair<std::vector<ModelEntry>, std::shared_ptr<Done>>> replacements_;
  std::map<VersionKey, std::shared_ptr<ModelMetrics>> metrics_;
  std::vector<std::function<void()>> later_;  // what an event leaves to be done without the lock

  std::mutex events_mutex_;
  std::condition_variable wake_;
  std::condition_variable quiet_;
  std::deque<Event> events_;  // guarded by events_mutex_
  bool stopping_ = false;     // guarded by events_mutex_
  bool was_quiet_ = false;    // guarded by events_mutex_
  std::atomic<std::uint64_t> requests_{0};

  const std::shared_ptr<Doorbell> doorbell_ = std::make_shared<Doorbell>();
  LoadPipeline pipeline_;
  HistoryWriter history_;
  std::unique_ptr<LoaderThreads> loaders_;
  std::unique_ptr<FolderSource> source_;
  std::thread thread_;
};

}  // namespace protean
