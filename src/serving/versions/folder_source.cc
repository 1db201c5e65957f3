// SPDX-License-Identifier: Apache-2.0
// One look at a time. A look at everything is followed by a pause in proportion to what it cost, so that a large
// folder on a slow disk is not read all the time.
#include "serving/versions/folder_source.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/log.h"
#include "serving/versions/loader_thread.h"

namespace protean {
namespace {

constexpr int kPauseFactor = 50;  // at most 2 % of one core

void mix(std::uint64_t& digest, std::uint64_t value) noexcept { digest = (digest ^ value) * 1099511628211ULL; }

/// What is said where the model is named stands above what its own file says.
ModelConfig with_entry(ModelConfig config, const ModelEntry& entry) {
  if (entry.versions) config.versions = *entry.versions;
  if (entry.retries) config.retries = *entry.retries;
  if (entry.warm_up) config.warm_up = *entry.warm_up;
  if (entry.batch) config.batch = *entry.batch;
  if (entry.tensorflow) config.tensorflow = *entry.tensorflow;
  return config;
}

}  // namespace

FolderSource::FolderSource(FolderSourceOptions options, std::vector<Backend*> backends, ConfigReader config,
                           OnReport on_report)
    : options_(std::move(options)),
      config_(std::move(config)),
      on_report_(std::move(on_report)),
      scanner_(options_.folder, std::move(backends)),
      has_entries_(!options_.entries.empty()) {}

FolderSource::~FolderSource() { stop(); }

FolderSource::Report FolderSource::start() {
  Wish wish;
  wish.everything = true;
  wish.entries = options_.entries;
  Report first = look(wish);
  if (!first.status) return first;
  thread_ = std::thread([this] { run(); });
  if (!options_.watch || options_.folder.empty()) return first;
  watch_ =
      std::make_unique<FolderWatch>(options_.folder, options_.poll_interval, [this](std::set<std::string> entries) {
        {
          const std::lock_guard lock(mutex_);
          if (entries.empty()) wish_.everything = true;
          // An entry's name is the model's, with an extension if it is a single file.
          for (const auto& entry : entries) {
            wish_.models.insert(entry);
            wish_.models.insert(std::filesystem::path(entry).stem().string());
          }
        }
        wake_.notify_all();
      });
  const std::lock_guard lock(mutex_);
  wish_.everything = true;  // what changed between the first look and the watch
  wake_.notify_all();
  return first;
}

void FolderSource::look_at(std::string model, std::uint64_t request) {
  {
    const std::lock_guard lock(mutex_);
    wish_.requests[request] = std::move(model);
  }
  wake_.notify_all();
}

void FolderSource::replace_entries(std::vector<ModelEntry> entries, std::uint64_t request) {
  {
    const std::lock_guard lock(mutex_);
    has_entries_ = !entries.empty();
    wish_.entries = std::move(entries);
    wish_.entry_requests.push_back(request);
    wish_.everything = true;  // what is ignored may be another
  }
  wake_.notify_all();
}

void FolderSource::stop() {
  watch_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void FolderSource::run() {
  lower_this_threads_priority("protean-folder");
  TimePoint not_before{};
  TimePoint poll_at = Clock::system().now() + options_.poll_interval;
  std::unique_lock lock(mutex_);
  while (true) {
    const auto small = [&] { return !wish_.models.empty() || !wish_.requests.empty() || wish_.entries; };
    // Folders that are named one by one are polled: there may be more of them than the kernel watches.
    if (polls() && !wish_.everything && !small()) {
      const auto woken = [&] { return stopping_ || wish_.everything || small(); };
      if (!wake_.wait_until(lock, std::max(poll_at, not_before), woken)) wish_.everything = true;
    }
    if (wish_.everything) poll_at = Clock::system().now() + options_.poll_interval;
    if (wish_.everything && !small() && Clock::system().now() < not_before) {
      wake_.wait_until(lock, not_before, [&] { return stopping_ || small(); });
    } else if (!polls()) {
      wake_.wait(lock, [&] { return stopping_ || wish_.everything || small(); });
    }
    if (stopping_) return;
    Wish wish = std::exchange(wish_, {});
    const TimePoint begun = Clock::system().now();
    if (wish.everything && begun < not_before) {
      wish.everything = false;
      wish_.everything = true;
      if (wish.models.empty() && wish.requests.empty() && !wish.entries) continue;
    }
    lock.unlock();
    Report report = look(wish);
    const TimePoint ended = Clock::system().now();
    if (wish.everything) not_before = ended + (ended - begun) * kPauseFactor;
    if (!report.status) {
      log::warning("model folder cannot be read; keeping what is loaded", {{"reason", report.status.error().message}});
    }
    if (!report.status || !report.changed.empty() || report.ignored || !report.answers.empty()) {
      on_report_(std::move(report));
    }
    lock.lock();
  }
}

FolderSource::Report FolderSource::look(const Wish& wish) {
  Report report;
  std::set<std::string> only = wish.models;
  std::set<std::string> always;
  for (const auto& [request, model] : wish.requests) {
    only.insert(model);
    always.insert(model);
    report.answers.push_back(request);
  }
  if (wish.entries) {
    auto changed = take_entries(*wish.entries);
    only.insert(changed.begin(), changed.end());
    always.merge(changed);
    report.answers.insert(report.answers.end(), wish.entry_requests.begin(), wish.entry_requests.end());
  }
  const std::set<std::string>* filter = wish.everything ? nullptr : &only;
  auto scan = scanner_.scan(filter);
  if (!scan) {
    report.status = tl::unexpected(std::move(scan).error());
    return report;
  }
  if (wish.everything) report.ignored = std::move(scan->ignored);
  note_changes(std::move(scan->versions), filter, always, report);
  dropped_.clear();
  return report;
}

/// The names of those that are new, other than before, or gone.
std::set<std::string> FolderSource::take_entries(std::vector<ModelEntry> entries) {
  std::set<std::string> changed;
  std::map<std::string, ModelEntry> next;
  for (const auto& entry : entries) next.emplace(entry.name, entry);
  for (const auto& [name, entry] : next) {
    const auto before = entries_.find(name);
    if (before == entries_.end() || !(before->second == entry)) changed.insert(name);
  }
  for (const auto& [name, entry] : entries_) {
    if (!next.contains(name)) {
      changed.insert(name);
      dropped_.insert(name);
    }
  }
  entries_ = std::move(next);
  scanner_.set_entries(std::move(entries));
  return changed;
}

void FolderSource::note_changes(std::vector<FoundVersion> versions, const std::set<std::string>* only,
                                const std::set<std::string>& always, Report& report) {
  std::map<std::string, std::vector<FoundVersion>> models;
  for (auto& version : versions) models[version.model].push_back(std::move(version));
  for (const auto& [model, digest] : known_) {
    if ((only == nullptr || only->contains(model)) && !models.contains(model)) models[model];
  }
  for (auto& [model, found] : models) {
    std::uint64_t digest = 1469598103934665603ULL;
    for (const auto& version : found) {
      mix(digest, version.version);
      mix(digest, version.fingerprint);
    }
    const auto before = known_.find(model);
    const bool same = before != known_.end() && before->second == digest;
    if (same && !always.contains(model)) continue;
    if (found.empty()) {
      known_.erase(model);
    } else {
      known_[model] = digest;
    }
    report.changed.push_back(describe(model, std::move(found)));
  }
}

ModelFound FolderSource::describe(std::string model, std::vector<FoundVersion> versions) const {
  ModelFound found{std::move(model), std::move(versions), std::make_shared<const ModelConfig>(), {}};
  const auto entry = entries_.find(found.model);
  if (entry != entries_.end()) found.aliases = entry->second.aliases;
  if (dropped_.contains(found.model)) found.aliases.emplace();
  if (found.versions.empty()) return found;
  try {
    Result<ModelConfig> config = ModelConfig{};
    if (config_) config = config_(found.versions.front().model_path, found.model);
    if (config) {
      if (entry != entries_.end()) {
        config = with_entry(with_entry(*std::move(config), options_.entry_defaults), entry->second);
      }
      found.config = std::make_shared<const ModelConfig>(std::move(*config));
    } else {
      found.config = tl::unexpected(std::move(config).error());
    }
  } catch (const std::exception& error) {
    found.config = fail(Code::kInternal, error.what());
  }
  return found;
}

}  // namespace protean
