// SPDX-License-Identifier: Apache-2.0
// The control loop: take what happened, advance the life cycle under its lock, then carry out what follows without it.
#include "serving/versions/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "core/error_reason.h"
#include "serving/scheduling/batch_probe.h"

namespace protean {
namespace {

LifeCycleOptions life_options(const RepositoryOptions& options) {
  return {options.memory_budget, std::max<std::size_t>(1, options.loaders), options.waiters_max, options.settle,
          std::chrono::seconds(10)};
}

constexpr std::size_t kEntriesMax = 100'000;

Status check_entries(const std::vector<ModelEntry>& entries) {
  std::unordered_set<std::string_view> names;
  if (entries.size() > kEntriesMax) {
    return fail(Code::kInvalidArgument, fmt::format("{} models, expected at most {}", entries.size(), kEntriesMax));
  }
  for (const auto& entry : entries) {
    if (!names.insert(entry.name).second) {
      return fail(Code::kInvalidArgument, fmt::format("model '{}' is named twice", printable(entry.name)));
    }
  }
  return {};
}

/// Calls `done` once, when as many answers have come as were expected: with the first error among them.
class Gate {
 public:
  Gate(std::size_t expected, std::function<void(Status)> done) : open_(expected), done_(std::move(done)) {}

  void pass(Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (!status && first_) first_ = std::move(status);
      if (--open_ > 0) return;
    }
    done_(first_);
  }

 private:
  std::mutex mutex_;
  std::size_t open_;  // guarded by mutex_
  Status first_;      // guarded by mutex_
  const std::function<void(Status)> done_;
};

tl::unexpected<Error> stopping() { return fail(Code::kUnavailable, "the server is stopping"); }

}  // namespace

Repository::Repository(RepositoryOptions options, RepositoryParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      reaper_(Reaper::make()),
      life_(life_options(options_), directory_),
      history_(parts_.store) {
  doorbell_->repository = this;
  pipeline_.decode = parts_.decode;
  pipeline_.recordings = parts_.recordings;
  pipeline_.registry = &parts_.registry;
  pipeline_.probe = parts_.probe ? parts_.probe : probe_batching;
  pipeline_.clock = parts_.clock;
  pipeline_.reaper = reaper_.get();
  pipeline_.scaling.run_threads = options_.run_threads;
  pipeline_.scaling.threads_default = options_.intra_op_threads;
  pipeline_.scaling.clock = parts_.clock;
  pipeline_.scaling.busy = [this] {
    const std::lock_guard lock(mutex_);
    return life_.serves_requests();
  };
  pipeline_.check_files = options_.watch;
}

Repository::~Repository() {
  stop();
  const std::lock_guard lock(doorbell_->mutex);
  doorbell_->repository = nullptr;
}

Status Repository::start() {
  if (parts_.store != nullptr) {
    TRY(const auto aliases, parts_.store->aliases());
    TRY(const auto held_down, parts_.store->held_down());
    const std::lock_guard lock(mutex_);
    life_.restore(aliases, held_down);
  }
  loaders_ = std::make_unique<LoaderThreads>(std::max<std::size_t>(1, options_.loaders));
  TRY_STATUS(check_entries(options_.entries));
  FolderSourceOptions source{options_.folder, options_.watch, options_.poll_interval, options_.entries,
                             options_.entry_defaults};
  source_ = std::make_unique<FolderSource>(std::move(source), parts_.backends, parts_.config,
                                           [this](FolderSource::Report report) {
                                             auto shared = std::make_shared<FolderSource::Report>(std::move(report));
                                             post([this, shared](TimePoint) { take(std::move(*shared)); });
                                           });
  auto first = source_->start();
  TRY_STATUS(first.status);
  {
    const std::lock_guard lock(mutex_);
    const TimePoint now = parts_.clock->now();
    for (auto& model : first.changed) life_.found(std::move(model), now, true);
    ignored_ = std::move(*first.ignored);
  }
  thread_ = std::thread([this] { run(); });
  std::unique_lock lock(events_mutex_);
  quiet_.wait(lock, [&] { return was_quiet_ || stopping_; });
  return {};
}

void Repository::stop() {
  if (source_) source_->stop();
  {
    const std::lock_guard lock(events_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  quiet_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (loaders_) loaders_->stop();
  finish_what_was_asked();
}

/// Events that came too late for the control thread: whoever asked is answered here.
void Repository::finish_what_was_asked() {
  std::deque<Event> left;
  {
    const std::lock_guard lock(events_mutex_);
    left.swap(events_);
  }
  std::vector<std::function<void()>> later;
  {
    const std::lock_guard lock(mutex_);
    for (auto& event : left) event(parts_.clock->now());
    later.swap(later_);
  }
  for (auto& work : later) work();
  for (auto& [request, command] : load_commands_) (*command.done)(stopping());
  for (auto& [request, replacement] : replacements_) (*replacement.second)(stopping());
  load_commands_.clear();
  replacements_.clear();
  Effects effects;
  {
    const std::lock_guard lock(mutex_);
    life_.refuse_all(stopping().value());
    effects = life_.take_effects();
  }
  for (auto& answer : effects.answers) answer();
  history_.append(std::move(effects.history));
}

void Repository::post(Event event) {
  {
    const std::lock_guard lock(events_mutex_);
    events_.push_back(std::move(event));
  }
  wake_.notify_one();
}

void Repository::command(Event event, const std::shared_ptr<Done>& done) {
  {
    const std::lock_guard lock(events_mutex_);
    if (!stopping_) {
      events_.push_back(std::move(event));
      wake_.notify_one();
      return;
    }
  }
  (*done)(stopping());
}

void Repository::look_at_clock() {
  post([](TimePoint) {});
}

void Repository::run() {
  ::pthread_setname_np(::pthread_self(), "protean-control");
  while (true) {
    std::deque<Event> events;
    {
      const std::lock_guard lock(events_mutex_);
      if (stopping_) return;
      events.swap(events_);
    }
    TimePoint look_again = kNever;
    Effects effects;
    std::vector<std::function<void()>> later;
    bool quiet = false;
    {
      const std::lock_guard lock(mutex_);
      for (auto& event : events) event(parts_.clock->now());
      look_again = life_.advance(parts_.clock->now());
      effects = life_.take_effects();
      later.swap(later_);
      quiet = life_.quiet();
    }
    perform(std::move(effects));
    for (auto& work : later) work();
    std::unique_lock lock(events_mutex_);
    if (quiet && !was_quiet_) {
      was_quiet_ = true;
      quiet_.notify_all();
    }
    const auto due = [&] { return stopping_ || !events_.empty(); };
    if (look_again == kNever) {
      wake_.wait(lock, due);
    } else {
      wake_.wait_for(lock, std::max(look_again - parts_.clock->now(), Duration::zero()), due);
    }
  }
}

void Repository::take(FolderSource::Report report) {
  const TimePoint now = parts_.clock->now();
  for (auto& model : report.changed) life_.found(std::move(model), now, false);
  for (const std::uint64_t request : report.answers) {
    finish_load_command(request, now);
    finish_replacing(request);
  }
  if (!report.ignored || *report.ignored == ignored_) return;
  for (const auto& path : *report.ignored) {
    log::info("ignored in the model folder", {{"path", path.path}, {"reason", path.reason}});
  }
  ignored_ = std::move(*report.ignored);
}

void Repository::perform(Effects effects) {
  effects.released.clear();
  for (auto& job : effects.loads) start_load(std::move(job));
  if (!effects.aliases.empty() && parts_.store != nullptr) {
    if (const auto status = parts_.store->change_aliases(effects.aliases, {}); !status) {
      log::warning("alias 'previous' not stored", {{"reason", status.error().message}});
    }
  }
  history_.append(std::move(effects.history));
  for (auto& answer : effects.answers) answer();
  for (const auto& key : effects.gone) {
    const auto found = metrics_.find(key);
    if (found == metrics_.end()) continue;
    found->second->remove_from_registry();
    metrics_.erase(found);
  }
}

std::shared_ptr<ModelMetrics> Repository::metrics_of(const VersionKey& key) {
  auto& metrics = metrics_[key];
  if (!metrics) metrics = std::make_shared<ModelMetrics>(parts_.registry, key.first, std::to_string(key.second));
  return metrics;
}

void Repository::start_load(LoadJob job) {
  auto metrics = metrics_of({job.found.model, job.found.version});
  loaders_->add([this, job = std::move(job), metrics = std::move(metrics)] {
    const auto warming = [&] { post([this, id = job.id](TimePoint) { life_.warming(id); }); };
    auto destroyed = [doorbell = doorbell_, id = job.id] {
      const std::lock_guard lock(doorbell->mutex);
      Repository* repository = doorbell->repository;
      if (repository != nullptr) repository->post([repository, id](TimePoint) { repository->life_.departed(id); });
    };
    auto outcome = std::make_shared<Result<LoadOutcome>>(run_load(pipeline_, job, metrics, warming, destroyed));
    post([this, id = job.id, outcome](TimePoint now) { life_.load_finished(id, std::move(*outcome), now); });
  });
}

void Repository::load_model(std::string model, std::string actor, Done done) {
  auto shared = std::make_shared<Done>(std::move(done));
  command(
      [this, model = std::move(model), actor = std::move(actor), shared](TimePoint) {
        const std::uint64_t request = ++requests_;
        load_commands_[request] = {model, actor, shared};
        later_.push_back([this, model, request] { source_->look_at(model, request); });
      },
      shared);
}

void Repository::finish_load_command(std::uint64_t request, TimePoint now) {
  const auto found = load_commands_.find(request);
  if (found == load_commands_.end()) return;
  const LoadCommandRequest command = std::move(found->second);
  load_commands_.erase(found);
  if (const auto known = life_.check_unload(command.model); !known) {
    later_.push_back([command, folder = options_.folder.string()] {
      (*command.done)(
          fail(Code::kNotFound, folder.empty()
                                    ? fmt::format("model '{}' not found", printable(command.model))
                                    : fmt::format("model '{}' not found in '{}'", printable(command.model), folder)));
    });
    return;
  }
  if (!life_.is_held_down(command.model)) {
    return life_.load_model(command.model, command.actor, std::move(*command.done), now);
  }
  later_.push_back([this, command] { change_held_down(command.model, false, command.actor, command.done); });
}

void Repository::replace_models(ReplaceModels models, Done done) {
  if (auto checked = check_entries(models.models); !checked) return done(std::move(checked));
  auto shared = std::make_shared<Done>(std::move(done));
  command(
      [this, models = std::move(models), shared](TimePoint) {
        const std::uint64_t request = ++requests_;
        replacements_[request] = {models.models, shared};
        log::info("models replaced by request", {{"actor", models.actor}, {"models", models.models.size()}});
        later_.push_back([this, entries = models.models, request] { source_->replace_entries(entries, request); });
      },
      shared);
}

/// What lies there now has been told to the life cycle.
void Repository::finish_replacing(std::uint64_t request) {
  const auto found = replacements_.find(request);
  if (found == replacements_.end()) return;
  const auto entries = std::make_shared<std::vector<ModelEntry>>(std::move(found->second.first));
  const auto done = std::move(found->second.second);
  replacements_.erase(found);
  const auto gate = std::make_shared<Gate>(entries->size() + 1, [this, entries, done](Status status) {
    (*done)(status ? check_aliases(*entries) : std::move(status));
  });
  for (const auto& entry : *entries) {
    life_.await_model(entry.name, [gate](Status status) { gate->pass(std::move(status)); });
  }
  later_.push_back([gate] { gate->pass({}); });
}

Status Repository::check_aliases(const std::vector<ModelEntry>& models) const {
  for (const auto& model : models) {
    if (!model.aliases) continue;
    for (const auto& [alias, version] : *model.aliases) {
      const auto available = this->available(model.name, std::to_string(version));
      if (available && *available) continue;
      return fail_as(error_reason::kNotReady, Code::kFailedPrecondition,
                     fmt::format("alias '{}' of model '{}': version {} is not ready", printable(alias),
                                 printable(model.name), version));
    }
  }
  return {};
}

void Repository::unload_model(std::string model, std::string actor, Done done) {
  auto shared = std::make_shared<Done>(std::move(done));
  command(
      [this, model = std::move(model), actor = std::move(actor), shared](TimePoint) {
        auto known = life_.check_unload(model);
        later_.push_back([this, model, actor, shared, known = std::move(known)] {
          if (!known) return (*shared)(known);
          change_held_down(model, true, actor, shared);
        });
      },
      shared);
}

/// Control thread, without the lock: the store first, then what is so.
void Repository::change_held_down(std::string model, bool held, std::string actor, const std::shared_ptr<Done>& done) {
  const HistoryRecord record{
      0, std::chrono::system_clock::now(), actor, held ? "unload_model" : "load_model", model, "by request", "ok"};
  if (parts_.store != nullptr) {
    if (auto status = parts_.store->set_held_down(model, held, record); !status) return (*done)(std::move(status));
  }
  Effects effects;
  {
    const std::lock_guard lock(mutex_);
    const TimePoint now = parts_.clock->now();
    if (held) {
      life_.unload_model(model, actor);
    } else {
      life_.load_model(model, actor, *done, now);
    }
    static_cast<void>(life_.advance(now));
    effects = life_.take_effects();
  }
  perform(std::move(effects));
  if (held) (*done)({});
  look_at_clock();
}

void Repository::change_aliases(ChangeAliases changes, Done done) {
  auto shared = std::make_shared<Done>(std::move(done));
  command(
      [this, changes = std::move(changes), shared](TimePoint) {
        later_.push_back([this, changes, shared] {
          // Only this thread changes the life cycle: what is checked here is still so when it is applied.
          Result<AliasPlan> plan = [&] {
            const std::lock_guard lock(mutex_);
            static_cast<void>(life_.advance(parts_.clock->now()));
            return life_.plan_aliases(changes.changes, changes.actor);
          }();
          look_at_clock();
          if (!plan) return (*shared)(tl::unexpected(std::move(plan).error()));
          for (auto& record : plan->history) record.at = std::chrono::system_clock::now();
          if (parts_.store != nullptr) {
            if (auto status = parts_.store->change_aliases(plan->changes, plan->history); !status) {
              return (*shared)(std::move(status));
            }
          }
          {
            const std::lock_guard lock(mutex_);
            life_.apply_aliases(*plan, parts_.clock->now());
          }
          (*shared)({});
        });
      },
      shared);
}

}  // namespace protean
