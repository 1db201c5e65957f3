// SPDX-License-Identifier: Apache-2.0
// The half of the simulated core that the repository's control thread drives: what lies in the folder, what people
// order, loads and their memory.
#include "serving/simulated_core_test_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace protean::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::uint64_t kVersions = 3;
constexpr std::uint64_t kBytesMax = 40;  // of one version
constexpr int kStepsMax = 20'000;

}  // namespace

SimulatedCore::SimulatedCore(std::uint64_t seed) : random_(seed) {
  life_options_.memory_budget = random_.once_in(3) ? 0 : 50 + random_.below(100);
  life_options_.loads_max = 1 + random_.below(2);
  life_options_.waiters_max = 2 + random_.below(12);
  life_options_.settle = milliseconds(random_.below(4));
  life_options_.room_wait_max = milliseconds(1 + random_.below(40));
  run_options_.runners = 1 + random_.below(3);
  run_options_.queue_max = 4 + static_cast<std::uint32_t>(random_.below(32));
  run_options_.rows_max = 16 + random_.below(256);
  run_options_.bytes_max = 512 + random_.below(16384);
  turbulence_ = 1 + random_.below(8);
  life_ = std::make_unique<LifeCycle>(life_options_, directory_);
  dispatcher_ = std::make_unique<Dispatcher>(run_options_);
  sources_.resize(1 + random_.below(3));
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    source.name = "m" + std::to_string(i);
    source.stamp = static_cast<std::int64_t>(i);
    source.config = random_config();
    source.batchable = !random_.once_in(4);
    source.run = random_.between(microseconds(1), milliseconds(1));
    source.row = random_.between(microseconds(0), microseconds(200));
    source.files[1 + random_.below(kVersions)] = ++fingerprints_;
    source.files[1 + random_.below(kVersions)] = ++fingerprints_;
    post([this, &source] { report(source, true); });
  }
}

SimulatedCore::~SimulatedCore() { *ended_ = true; }

std::string SimulatedCore::play() {
  const std::uint64_t events = 16 + random_.below(36);
  const Duration length = random_.between(milliseconds(5), milliseconds(200));
  for (std::uint64_t i = 0; i < events; ++i) {
    time_.after(random_.between(Duration::zero(), length), [this] { disturb(); });
  }
  if (random_.once_in(5)) time_.after(random_.between(length / 2, length), [this] { stop(); });
  int steps = 0;
  while (problem_.empty() && time_.step()) expect(++steps < kStepsMax, "everything comes to rest");
  if (problem_.empty()) check_end();
  return problem_;
}

void SimulatedCore::expect(bool condition, const char* what) {
  if (condition || !problem_.empty()) return;
  problem_ = fmt::format("{} (at {} us)", what,
                         std::chrono::duration_cast<microseconds>(time_.now().time_since_epoch()).count());
}

std::shared_ptr<const ModelConfig> SimulatedCore::random_config() {
  auto config = std::make_shared<ModelConfig>();
  config->versions.choice = static_cast<VersionPolicy::Choice>(random_.below(3));
  config->versions.latest = 1 + static_cast<std::uint32_t>(random_.below(2));
  config->versions.listed = {1, 3};
  config->versions.availability_preserving = !random_.once_in(4);
  config->versions.keep_previous = milliseconds(random_.below(60));
  config->retries = {3, milliseconds(5), milliseconds(20)};
  config->residency.on_demand = random_.once_in(2);
  config->residency.pinned = random_.once_in(8);
  config->residency.idle_unload = milliseconds(random_.once_in(2) ? 20 : 0);
  config->instances = static_cast<std::uint32_t>(random_.below(4));
  config->weight = 1 + static_cast<std::uint32_t>(random_.below(4));
  config->queue_max = random_.once_in(3) ? 1 + static_cast<std::uint32_t>(random_.below(8)) : 0;
  if (random_.once_in(4)) config->deadline = random_.between(microseconds(500), milliseconds(30));
  BatchConfig& batch = config->batch;
  batch.mode = static_cast<BatchConfig::Mode>(random_.below(3));
  batch.rows_max = 1 + random_.below(16);
  if (random_.once_in(3)) {
    for (std::uint64_t size = 1 + random_.below(3); size <= batch.rows_max; size *= 2) {
      batch.rows_preferred.push_back(size);
    }
  }
  batch.pad_rows = random_.once_in(3);
  if (random_.once_in(3)) batch.delay = random_.between(microseconds(1), milliseconds(2));
  batch.split = !random_.once_in(4);
  batch.preserve_order = random_.once_in(4);
  return config;
}

void SimulatedCore::disturb() {
  if (random_.below(8) >= turbulence_) {
    for (std::uint64_t left = 1 + random_.below(6); left > 0; --left) {
      time_.after(random_.between(Duration::zero(), microseconds(600)), [this] { ask(); });
    }
    return;
  }
  Source& source = any_model();
  switch (random_.below(8)) {
    case 0:
    case 1: return post([this, &source] { change_files(source); });
    case 2: return post([this, &source] { change_config(source); });
    case 3: return post([this] { move_aliases(); });
    case 4: return post([this, &source] { give_command(source); });
    default: return ask();
  }
}

void SimulatedCore::change_files(Source& source) {
  const std::uint64_t version = 1 + random_.below(kVersions);
  if (random_.once_in(4)) {
    source.files.erase(version);
  } else {
    source.files[version] = ++fingerprints_;
  }
  report(source, false);
}

void SimulatedCore::change_config(Source& source) {
  source.readable = !random_.once_in(4);
  if (source.readable) source.config = random_config();
  report(source, false);
}

void SimulatedCore::report(Source& source, bool at_once) {
  ModelFound found{source.name, {}, source.config};
  if (!source.readable) found.config = fail(Code::kInvalidArgument, "line 1: what is this?");
  for (const auto& [number, fingerprint] : source.files) {
    FoundVersion version;
    version.model = source.name;
    version.version = number;
    version.fingerprint = fingerprint;
    version.files_bytes = 1 + fingerprint * 7 % kBytesMax;
    found.versions.push_back(std::move(version));
  }
  life_->found(std::move(found), time_.now(), at_once);
  touched(source);
}

void SimulatedCore::move_aliases() {
  std::vector<AliasChange> changes;
  for (std::uint64_t left = 1 + random_.below(2); left > 0; --left) {
    const auto version = random_.once_in(4) ? std::nullopt : std::optional(1 + random_.below(kVersions));
    changes.push_back({any_model().name, random_.once_in(2) ? "default" : "champion", version});
  }
  static_cast<void>(life_->advance(time_.now()));
  const auto plan = life_->plan_aliases(changes, "simulation");
  const bool stored = !random_.once_in(8);
  if (!plan || !stored) return;
  life_->apply_aliases(*plan, time_.now());
  for (const Source& source : sources_) touched(source);
  for (const AliasChange& change : plan->changes) {
    const ModelRoute* route = directory_.find(change.model);
    expect(route == nullptr || route->find_alias(change.alias) == change.version.value_or(0),
           "an alias leads where it was set to");
  }
}

void SimulatedCore::give_command(Source& source) {
  const bool known = life_->check_unload(source.name).has_value();
  if (random_.once_in(3)) {
    if (!known) return;
    life_->unload_model(source.name, "simulation");
    source.held_down = true;
    return touched(source);
  }
  report(source, false);
  if (!known) return;
  source.held_down = false;
  ++commands_open_;
  const auto once = std::make_shared<bool>(false);
  const auto done = [this, once](const Status&) {
    expect(!std::exchange(*once, true), "a command is answered once");
    --commands_open_;
  };
  life_->load_model(source.name, "simulation", done, time_.now());
}

/// Whatever is done about a model may make its loads worth another try.
void SimulatedCore::touched(const Source& source) {
  std::erase_if(attempts_, [&](const auto& item) { return std::get<0>(item.first) == source.name; });
}

void SimulatedCore::post(std::function<void()> event) {
  if (stopped_) return;
  events_.push_back(std::move(event));
  wake_control(time_.now() + (random_.once_in(2) ? Duration::zero() : random_.between({}, microseconds(300))));
}

void SimulatedCore::wake_control(TimePoint when) {
  if (control_at_ <= when) return;
  control_at_ = when;
  time_.at(when, [this, when] {
    if (control_at_ != when) return;  // it was woken before
    control_at_ = kNever;
    if (!stopped_) control();
  });
}

void SimulatedCore::control() {
  for (const auto& event : std::exchange(events_, {})) event();
  const TimePoint again = life_->advance(time_.now());
  expect(again > time_.now(), "the policy comes to rest");
  perform(life_->take_effects());
  wake_control(again);
  check_versions();
}

void SimulatedCore::perform(Effects effects) {
  effects.released.clear();
  for (auto& job : effects.loads) start_load(std::move(job));
  for (auto& answer : effects.answers) answer();
}

void SimulatedCore::start_load(LoadJob job) {
  ++loading_;
  ++loads_;
  const auto source = std::find_if(sources_.begin(), sources_.end(),
                                   [&](const Source& known) { return known.name == job.found.model; });
  const Attempts& before = attempts_[{job.found.model, job.found.version, job.found.fingerprint}];
  if (before.failures > 0) {
    const LoadRetries& retries = source->config->retries;
    const bool eager = !source->config->residency.on_demand && life_options_.memory_budget == 0;
    expect(!before.broken, "a broken version is not tried again by itself");
    expect(time_.now() >= before.failed_at + retries.wait_first, "a failed load is tried again after a while");
    expect(!eager || before.failures < retries.attempts_max, "attempts are bounded");
  }
  Duration time = random_.between(microseconds(300), milliseconds(12));
  if (random_.once_in(8)) time *= 5;
  if (random_.once_in(2)) time_.after(time / 3, [this, id = job.id] { post([this, id] { life_->warming(id); }); });
  time_.after(time, [this, job = std::move(job)] { post([this, job] { finish_load(job); }); });
}

void SimulatedCore::finish_load(const LoadJob& job) {
  --loading_;
  if (random_.once_in(5)) {
    Attempts& attempts = attempts_[{job.found.model, job.found.version, job.found.fingerprint}];
    ++attempts.failures;
    attempts.failed_at = time_.now();
    attempts.broken = random_.once_in(3);
    const Code code = attempts.broken ? Code::kInvalidArgument : Code::kUnavailable;
    return life_->load_finished(job.id, fail(code, "bad luck"), time_.now());
  }
  const std::uint64_t bytes = 1 + job.found.fingerprint * 11 % kBytesMax;
  life_->load_finished(job.id, LoadOutcome{make_version(job, bytes), bytes}, time_.now());
}

VersionHandle SimulatedCore::make_version(const LoadJob& job, std::uint64_t bytes) {
  const auto source = std::find_if(sources_.begin(), sources_.end(),
                                   [&](const Source& known) { return known.name == job.found.model; });
  auto made = make_simulated_version(job.found.model, job.config, {source->stamp, static_cast<std::int64_t>(job.id)});
  made->version = job.found.version;
  made->version_text = std::to_string(job.found.version);
  made->batch.batchable = source->batchable;
  alive_[made.get()] = {bytes, &*source};
  alive_bytes_ += bytes;
  return {made.release(), [this, ended = ended_, id = job.id](LoadedVersion* last) {
            const std::unique_ptr<LoadedVersion> dead(last);
            if (!*ended) destroyed(last, id);
          }};
}

void SimulatedCore::destroyed(LoadedVersion* version, std::uint64_t load) {
  const Lane& lane = version->lane;
  expect(lane.queue.empty() && lane.runs == 0 && lane.running == 0, "nobody needs a version that is taken apart");
  alive_bytes_ -= alive_.at(version).bytes;
  alive_.erase(version);
  time_.after(random_.between({}, milliseconds(2)), [this, load] { post([this, load] { life_->departed(load); }); });
}

/// What the server does at its end: loads and commands are refused, what is queued still runs.
void SimulatedCore::stop() {
  for (const auto& event : std::exchange(events_, {})) event();
  stopped_ = true;
  life_->refuse_all(fail(Code::kUnavailable, "the server is stopping").value());
  for (auto& answer : life_->take_effects().answers) answer();
  dispatcher_->stop();
  go_on();
}

void SimulatedCore::check_versions() {
  expect(loading_ <= life_options_.loads_max, "no more loads than loaders");
  expect(life_->waiting() <= life_options_.waiters_max, "those who wait for loads are bounded");
  if (const std::uint64_t budget = life_options_.memory_budget; budget != 0) {
    // How large a version is turns out when it has been loaded.
    const std::uint64_t most = budget + life_options_.loads_max * kBytesMax;
    expect(alive_bytes_ <= most && life_->memory_used() <= most, "memory stays within the budget");
  }
  for (Source& source : sources_) check_availability(source);
}

void SimulatedCore::check_availability(Source& source) {
  const ModelRoute* route = directory_.find(source.name);
  const auto ready = route == nullptr ? std::vector<VersionHandle>() : route->slot->ready();
  const VersionPolicy& policy = source.config->versions;
  const bool chosen_any = policy.choice != VersionPolicy::Choice::kListed ||
                          std::any_of(policy.listed.begin(), policy.listed.end(),
                                      [&](std::uint64_t version) { return source.files.contains(version); });
  const bool kept = policy.availability_preserving && chosen_any && !source.held_down;
  const bool lasting = std::any_of(source.served.begin(), source.served.end(),
                                   [&](std::uint64_t version) { return source.files.contains(version); });
  bool wakes = false;
  for (std::uint64_t version = 1; route != nullptr && version <= kVersions; ++version) {
    wakes = wakes || route->slot->find(version).wakes;
  }
  if (kept && source.was_kept && lasting) expect(wakes, "a model that was available stays available");
  if (kept && !ready.empty() && route->default_version == 0) {
    const auto chosen = route->slot->find(0);
    expect(chosen.handle || chosen.wakes, "requests that name no version get one that is ready");
  }
  source.was_kept = kept;
  source.served.clear();
  for (const auto& version : ready) {
    expect(alive_.contains(version.get()), "the directory leads to versions that are alive");
    source.served.push_back(version->version);
  }
}

}  // namespace protean::testing
