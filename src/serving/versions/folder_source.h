// SPDX-License-Identifier: Apache-2.0
// The model folder as a source of versions: looks on a thread of its own, reads configurations, and reports only the
// models about which something changed, so that ten thousand models at rest cost the control loop nothing.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
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

#include "serving/versions/folder_watch.h"
#include "serving/versions/repository_scan.h"
#include "serving/versions/version_record.h"

namespace protean {

/// Reads the configuration of the model whose folder or single file is `files`.
/// Errors: what is wrong with it; the model is not loaded then.
using ConfigReader = std::function<Result<ModelConfig>(const std::filesystem::path& files, std::string_view model)>;

/// `folder`: empty: only the models that are named.
struct FolderSourceOptions {
  std::filesystem::path folder;
  bool watch = true;
  std::chrono::milliseconds poll_interval{5000};
  std::vector<ModelEntry> entries = {};
  ModelEntry entry_defaults = {};
};

class FolderSource {
 public:
  /// `changed`: ascending by name.  `ignored`: after a look at everything.  `answers`: the requests this one answers.
  struct Report {
    std::vector<ModelFound> changed;
    std::optional<std::vector<IgnoredPath>> ignored;
    std::vector<std::uint64_t> answers;
    Status status;
  };
  using OnReport = std::function<void(Report)>;

  FolderSource(FolderSourceOptions options, std::vector<Backend*> backends, ConfigReader config, OnReport on_report);
  ~FolderSource();
  FolderSource(const FolderSource&) = delete;
  FolderSource& operator=(const FolderSource&) = delete;

  /// Looks at everything on the caller's thread, then starts watching (if it is to).  Call once, first.
  [[nodiscard]] Report start();
  /// Reports of `model`, whether it changed or not, in a report that names `request`.  Thread-safe.
  void look_at(std::string model, std::uint64_t request);
  /// From now on these are the models that are named with a path; reports of all that differ, in a report that names
  /// `request`.  Thread-safe.
  void replace_entries(std::vector<ModelEntry> entries, std::uint64_t request);
  void stop();

 private:
  struct Wish {
    bool everything = false;
    std::set<std::string> models;
    std::map<std::uint64_t, std::string> requests;
    std::optional<std::vector<ModelEntry>> entries;
    std::vector<std::uint64_t> entry_requests;
  };

  void run();
  Report look(const Wish& wish);
  void note_changes(std::vector<FoundVersion> versions, const std::set<std::string>* only,
                    const std::set<std::string>& always, Report& report);
  [[nodiscard]] ModelFound describe(std::string model, std::vector<FoundVersion> versions) const;
  [[nodiscard]] bool polls() const noexcept { return options_.watch && has_entries_; }
  std::set<std::string> take_entries(std::vector<ModelEntry> entries);

  const FolderSourceOptions options_;
  const ConfigReader config_;
  const OnReport on_report_;
  RepositoryScanner scanner_;                   // of whoever looks
  std::map<std::string, ModelEntry> entries_;   // of whoever looks
  std::set<std::string> dropped_;               // of whoever looks: entries until a moment ago
  std::map<std::string, std::uint64_t> known_;  // of whoever looks: digests of what was reported

  std::mutex mutex_;
  std::condition_variable wake_;
  Wish wish_;                 // guarded by mutex_
  bool stopping_ = false;     // guarded by mutex_
  bool has_entries_ = false;  // guarded by mutex_
  std::unique_ptr<FolderWatch> watch_;
  std::thread thread_;
};

}  // namespace protean
