// SPDX-License-Identifier: Apache-2.0
// The control loop: scan, ask the policy, act, publish. Loading happens on this thread, outside the lock.
#include "serving/versions/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace protean {
namespace {

double milliseconds_since(TimePoint start) {
  return std::chrono::duration<double, std::milli>(Clock::system().now() - start).count();
}

}  // namespace

Repository::Repository(RepositoryOptions options, std::vector<Backend*> backends, metrics::Registry& registry)
    : options_(std::move(options)),
      registry_(registry),
      reaper_(Reaper::make()),
      scanner_(options_.folder, std::move(backends)),
      snapshot_(std::make_shared<const Snapshot>()) {}

Repository::~Repository() { stop(); }

Status Repository::start() {
  TRY(Scan first, scanner_.scan());
  for (auto& found : first.versions) {
    desired_[{found.model, found.version}] = {found.fingerprint, Clock::system().now()};
    found_[{found.model, found.version}] = std::move(found);
  }
  {
    const std::lock_guard lock(mutex_);
    ignored_ = std::move(first.ignored);
  }
  act(Duration::zero());
  thread_ = std::thread([this] { run(); });
  if (options_.watch) {
    watch_ = std::make_unique<FolderWatch>(options_.folder, options_.poll_interval, [this] { wake(); });
    wake();  // what changed between the first scan and the watch
  }
  return {};
}

void Repository::stop() {
  watch_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::deque<Command> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(commands_);
  }
  for (auto& command : left) command.done(fail(Code::kUnavailable, "the server is stopping"));
}

void Repository::wake() {
  {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  wake_.notify_all();
}

void Repository::run() {
  TimePoint look_again = Clock::system().now();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto due = [&] { return stopping_ || changed_ || !commands_.empty(); };
    if (look_again == kNever) {
      wake_.wait(lock, due);
    } else {
      wake_.wait_until(lock, look_again, due);
    }
    if (stopping_) return;
    std::optional<Command> command;
    if (!commands_.empty()) {
      command = std::move(commands_.front());
      commands_.pop_front();
    }
    changed_ = false;
    lock.unlock();
    if (command) execute(std::move(*command));
    if (options_.watch) rescan(std::nullopt);
    look_again = act(options_.settle);
    lock.lock();
  }
}

void Repository::rescan(std::optional<std::string_view> only_model) {
  auto scan = scanner_.scan();
  if (!scan) {
    log::warning("model folder cannot be read; keeping what is loaded", {{"reason", scan.error().message}});
    return;
  }
  const TimePoint now = Clock::system().now();
  std::map<VersionKey, FoundVersion> found;
  std::map<VersionKey, DesiredVersion> desired;
  if (only_model) {
    found = found_;
    desired = desired_;
    std::erase_if(found, [&](const auto& item) { return item.first.first == *only_model; });
    std::erase_if(desired, [&](const auto& item) { return item.first.first == *only_model; });
  }
  for (auto& version : scan->versions) {
    if (held_down_.contains(version.model) || (only_model && version.model != *only_model)) continue;
    const VersionKey key{version.model, version.version};
    const auto before = desired_.find(key);
    const bool same = before != desired_.end() && before->second.fingerprint == version.fingerprint;
    desired[key] = {version.fingerprint, same ? before->second.unchanged_since : now};
    found[key] = std::move(version);
  }
  desired_ = std::move(desired);
  found_ = std::move(found);
  const std::lock_guard lock(mutex_);
  if (scan->ignored != ignored_) {
    for (const auto& path : scan->ignored) {
      log::info("ignored in the model folder", {{"path", path.path}, {"reason", path.reason}});
    }
    ignored_ = std::move(scan->ignored);
  }
}

TimePoint Repository::act(Duration settle) {
  while (true) {
    std::map<VersionKey, ActualVersion> actual;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return kNever;
      for (const auto& [key, entry] : entries_) actual[key] = entry.actual;
    }
    // What a command unloaded stays listed as unavailable: it is desired in the state it is in.
    auto desired = desired_;
    for (const auto& [key, version] : actual) {
      if (held_down_.contains(key.first)) desired[key] = {version.tried, TimePoint{}};
    }
    const PolicyInput input{desired, actual, Clock::system().now(), settle};
    const auto action = next_action(input);
    if (!action) return next_settled(input);
    action->kind == Action::Kind::kLoad ? load(action->key) : unload(action->key);
  }
}

void Repository::load(const VersionKey& key) {
  const FoundVersion found = found_.at(key);
  std::shared_ptr<ModelMetrics> metrics;
  {
    const std::lock_guard lock(mutex_);
    auto& entry = entries_[key];
    entry.found = found;
    if (!entry.metrics) {
      entry.metrics = std::make_shared<ModelMetrics>(registry_, found.model, std::to_string(found.version));
    }
    metrics = entry.metrics;
    if (!entry.handle) entry.state = VersionState::kLoading;
  }
  const TimePoint start = Clock::system().now();
  auto loaded = load_version(found, metrics);
  const double load_ms = milliseconds_since(start);
  {
    const std::lock_guard lock(mutex_);
    auto& entry = entries_[key];
    entry.actual = {found.fingerprint, entry.handle != nullptr || loaded.has_value()};
    entry.load_ms = load_ms;
    if (loaded) {
      entry.handle = std::move(*loaded);
      entry.state = VersionState::kReady;
      entry.reason.clear();
    } else {
      entry.state = entry.handle ? VersionState::kReady : VersionState::kUnavailable;
      entry.reason = entry.handle
                         ? fmt::format("serving the files before; the new ones failed: {}", loaded.error().message)
                         : loaded.error().message;
    }
  }
  if (loaded) {
    log::info("model loaded", {{"model", key.first}, {"version", key.second}, {"load_ms", load_ms}});
  } else {
    log::error("model not loaded", {{"model", key.first}, {"version", key.second}, {"reason", loaded.error().message}});
  }
  publish();
}

Result<VersionHandle> Repository::load_version(const FoundVersion& found,
                                               const std::shared_ptr<ModelMetrics>& metrics) {
  const std::string version_text = std::to_string(found.version);
  const TimePoint start = Clock::system().now();
  auto model = found.backend->load({found.model, version_text, found.path, found.folder}, {});
  (model ? metrics->loads_succeeded : metrics->loads_failed)->add();
  metrics->load_duration->observe(static_cast<std::uint64_t>((Clock::system().now() - start).count()));
  if (!model) return tl::unexpected(std::move(model).error());
  auto version = std::make_unique<LoadedVersion>();
  version->model_name = found.model;
  version->version = found.version;
  version->version_text = version_text;
  version->model = std::move(*model);
  version->signature = std::make_shared<const Signature>(version->model->signature());
  version->metrics = metrics;
  return reaper_->adopt(std::move(version));
}

void Repository::unload(const VersionKey& key) {
  VersionHandle last;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(key);
    if (entry == entries_.end()) return;
    last = std::move(entry->second.handle);
    if (entry->second.metrics) entry->second.metrics->remove_from_registry();
    entries_.erase(entry);
  }
  publish();
  if (last) log::info("model unloaded", {{"model", key.first}, {"version", key.second}});
}

void Repository::publish() {
  auto next = std::make_shared<Snapshot>();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      if (entry.handle) next->models[key.first].push_back(entry.handle);
    }
  }
  // The old table goes when the last look-up lets go of it, outside the lock.
  std::shared_ptr<const Snapshot> last = std::move(next);
  snapshot_.with([&](auto& current) { current.swap(last); });
}

void Repository::load_model(std::string model, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      commands_.push_back({Command::Kind::kLoad, std::move(model), std::move(done)});
      done = nullptr;
    }
  }
  wake_.notify_all();
  if (done) done(fail(Code::kUnavailable, "the server is stopping"));
}

void Repository::unload_model(std::string model, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      commands_.push_back({Command::Kind::kUnload, std::move(model), std::move(done)});
      done = nullptr;
    }
  }
  wake_.notify_all();
  if (done) done(fail(Code::kUnavailable, "the server is stopping"));
}

void Repository::execute(Command command) {
  if (command.kind == Command::Kind::kLoad) return execute_load(command);
  std::vector<VersionHandle> last;
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [key, entry] : entries_) {
      if (key.first != command.model) continue;
      known = true;
      if (entry.handle) last.push_back(std::move(entry.handle));
      entry.handle = nullptr;
      entry.state = VersionState::kUnavailable;
      entry.reason = "unloaded";
      entry.actual.loaded = false;
    }
  }
  if (!known) return command.done(fail(Code::kNotFound, fmt::format("model '{}' not found", command.model)));
  held_down_.insert(command.model);
  publish();
  log::info("model unloaded by request", {{"model", command.model}});
  command.done({});
}

void Repository::execute_load(const Command& command) {
  held_down_.erase(command.model);
  rescan(command.model);
  std::vector<VersionKey> keys;
  for (const auto& [key, found] : found_) {
    if (key.first == command.model) keys.push_back(key);
  }
  if (keys.empty()) {
    return command.done(
        fail(Code::kNotFound, fmt::format("model '{}' not found in '{}'", command.model, options_.folder.string())));
  }
  Status status;
  for (const auto& key : keys) {
    load(key);
    const std::lock_guard lock(mutex_);
    const auto& entry = entries_.at(key);
    if (!entry.reason.empty() && status) {
      status = fail(Code::kFailedPrecondition,
                    fmt::format("model '{}' version {} did not load: {}", key.first, key.second, entry.reason));
    }
  }
  command.done(std::move(status));
}

}  // namespace protean
