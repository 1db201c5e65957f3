// SPDX-License-Identifier: Apache-2.0
// The models being served. One control thread brings what is loaded in line with what lies in the folder and
// what the control API asked for; requests look versions up in an immutable snapshot that is swapped by one
// pointer and never wait for a load.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "base/metrics.h"
#include "base/result.h"
#include "core/operation.h"
#include "serving/loaded_version.h"
#include "serving/versions/folder_watch.h"
#include "serving/versions/reaper.h"
#include "serving/versions/repository_scan.h"
#include "serving/versions/version_policy.h"

namespace protean {

struct RepositoryOptions {
  std::filesystem::path folder;
  bool watch = true;
  std::chrono::milliseconds poll_interval{5000};
  std::chrono::milliseconds settle{200};
};

class Repository {
 public:
  /// Immutable look-up table.  Versions ascending.
  struct Snapshot {
    std::map<std::string, std::vector<VersionHandle>, std::less<>> models;
  };

  /// `backends` and `registry` outlive the repository.
  Repository(RepositoryOptions options, std::vector<Backend*> backends, metrics::Registry& registry);
  ~Repository();

  /// Scans and loads everything once, then watches in the background.
  /// Errors: when the folder cannot be read. A model that does not load is no error.
  Status start();
  /// Ends loading and watching; loaded versions stay available to requests.
  void stop();

  /// The version of that name; empty `version` means the newest that is ready.
  /// Errors: kNotFound (unknown model or version; names the nearest), kInvalidArgument (not a positive
  /// number), kUnavailable (known, not ready; with the reason).  Thread-safe; never waits for a load.
  [[nodiscard]] Result<VersionHandle> find(std::string_view model, std::string_view version) const;
  /// All ready versions of a model, ascending.  Errors: as find().
  [[nodiscard]] Result<std::vector<VersionHandle>> ready_versions(std::string_view model) const;
  /// One row per known version, ascending by name and number.  Thread-safe.
  [[nodiscard]] std::vector<VersionStatus> statuses() const;
  [[nodiscard]] std::vector<IgnoredPath> ignored() const;

  using Done = std::function<void(Status)>;
  /// Reads the model's files again and loads them, also if they did not change or had been unloaded.
  /// `done` is called on the control thread: kNotFound, or the reason of the first version that failed.
  void load_model(std::string model, Done done);
  /// Takes the model out of service until load_model(); its files stay.  Errors: kNotFound.
  void unload_model(std::string model, Done done);

 private:
  struct Entry {
    FoundVersion found;
    VersionState state = VersionState::kLoading;
    std::string reason;
    double load_ms = 0;
    VersionHandle handle;
    std::shared_ptr<ModelMetrics> metrics;
    ActualVersion actual;
  };
  struct Command {
    enum class Kind : unsigned char { kLoad, kUnload } kind;
    std::string model;
    Done done;
  };

  void run();
  void wake();
  /// Brings desired_ up to date with the folder, of all models or of one.  Control thread only.
  void rescan(std::optional<std::string_view> only_model);
  /// Does what the policy says until nothing is left to do; returns when to look again.
  TimePoint act(Duration settle);
  void load(const VersionKey& key);
  void unload(const VersionKey& key);
  [[nodiscard]] Result<VersionHandle> load_version(const FoundVersion& found,
                                                   const std::shared_ptr<ModelMetrics>& metrics);
  void execute(Command command);
  void execute_load(const Command& command);
  void publish();
  [[nodiscard]] tl::unexpected<Error> explain_missing(std::string_view model, std::string_view version) const;
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;

  const RepositoryOptions options_;
  metrics::Registry& registry_;
  const std::shared_ptr<Reaper> reaper_;

  // control thread only
  RepositoryScanner scanner_;
  std::map<VersionKey, FoundVersion> found_;
  std::map<VersionKey, DesiredVersion> desired_;
  std::set<std::string> held_down_;  // unloaded by request

  mutable std::mutex mutex_;
  std::map<VersionKey, Entry> entries_;  // guarded by mutex_
  std::vector<IgnoredPath> ignored_;     // guarded by mutex_
  std::deque<Command> commands_;         // guarded by mutex_
  bool changed_ = false;                 // guarded by mutex_
  bool stopping_ = false;                // guarded by mutex_
  std::condition_variable wake_;

  // Held for one copy of a pointer. (std::atomic<shared_ptr> is a lock as well, with a formal race in libstdc++ 12.)
  Locked<std::shared_ptr<const Snapshot>> snapshot_;
  std::unique_ptr<FolderWatch> watch_;
  std::thread thread_;
};

}  // namespace protean
