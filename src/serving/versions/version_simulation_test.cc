// SPDX-License-Identifier: Apache-2.0
// Random histories of the life cycle in virtual time: slow and failing loads, files that come, change and go, requests
// that hold their version for a while, evictions, commands and moves of aliases. What must never happen is checked
// after every event.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "base/log.h"
#include "serving/simulation_test_support.h"
#include "serving/versions/life_cycle.h"

namespace protean {
namespace {

using std::chrono::milliseconds;
using testing::Dice;
using testing::SimulatedTime;

constexpr std::uint64_t kModels = 4;
constexpr std::uint64_t kBytesMax = 40;
constexpr int kEvents = 150;

class World {
 public:
  explicit World(std::uint64_t seed) : dice_(seed) {
    options_.memory_budget = dice_.one_in(3) ? 0 : 60 + dice_.roll(100);
    options_.loads_max = 1 + dice_.roll(2);
    options_.waiters_max = 8;
    options_.settle = milliseconds(5);
    life_ = std::make_unique<LifeCycle>(options_, directory_);
    for (std::uint64_t i = 0; i < kModels; ++i) {
      Source source;
      source.config.residency.on_demand = dice_.one_in(2);
      source.config.residency.idle_unload = dice_.one_in(2) ? milliseconds(200) : milliseconds(0);
      source.config.versions.choice = dice_.one_in(2) ? VersionPolicy::Choice::kLatest : VersionPolicy::Choice::kAll;
      source.config.versions.availability_preserving = !dice_.one_in(4);
      source.config.versions.keep_previous = milliseconds(dice_.roll(300));
      source.config.retries = {3, milliseconds(20), milliseconds(100)};
      sources_["m" + std::to_string(i)] = source;
    }
  }

  ~World() { *ended_ = true; }

  void run() {
    for (int i = 0; i < kEvents; ++i) {
      time_.after(dice_.up_to(milliseconds(2000)), [this] { disturb(); });
    }
    while (time_.step()) {
      advance();
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_EQ(asked_, answered_) << "somebody was never answered";
    EXPECT_EQ(life_->waiting(), 0U);
    EXPECT_TRUE(life_->quiet());
  }

 private:
  struct Source {
    ModelConfig config;
    std::map<std::uint64_t, std::uint64_t> files;  // version -> fingerprint
  };

  std::string any_model() { return "m" + std::to_string(dice_.roll(kModels)); }

  void disturb() {
    switch (dice_.roll(10)) {
      case 0:
      case 1: return change_files();
      case 2: return move_aliases();
      case 3: return command();
      default: return request();
    }
  }

  void change_files() {
    const std::string name = any_model();
    Source& source = sources_[name];
    const std::uint64_t version = 1 + dice_.roll(3);
    if (dice_.one_in(4)) {
      source.files.erase(version);
    } else {
      source.files[version] = ++fingerprints_;
    }
    report(name);
  }

  void report(const std::string& name) {
    ModelFound found{name, {}, std::make_shared<const ModelConfig>(sources_[name].config)};
    for (const auto& [version, fingerprint] : sources_[name].files) {
      FoundVersion v;
      v.model = name;
      v.version = version;
      v.fingerprint = fingerprint;
      v.files_bytes = 1 + fingerprint % kBytesMax;
      found.versions.push_back(v);
    }
    life_->found(std::move(found), time_.now(), false);
  }

  void move_aliases() {
    std::vector<AliasChange> changes;
    for (std::uint64_t i = 0; i <= dice_.roll(2); ++i) {
      const auto version = dice_.one_in(4) ? std::nullopt : std::optional<std::uint64_t>(1 + dice_.roll(3));
      changes.push_back({any_model(), dice_.one_in(2) ? "default" : "champion", version});
    }
    const auto plan = life_->plan_aliases(changes, "simulation");
    if (plan) life_->apply_aliases(*plan, time_.now());
  }

  void command() {
    const std::string name = any_model();
    if (dice_.one_in(3)) {
      if (life_->check_unload(name)) life_->unload_model(name, "simulation");
      return;
    }
    ++asked_;
    life_->load_model(
        name, "simulation", [this, once = once()](const Status&) { answer(once); }, time_.now());
  }

  void request() {
    const TimePoint deadline = dice_.one_in(3) ? kNever : time_.now() + dice_.up_to(milliseconds(100));
    const std::string version = dice_.one_in(3) ? std::to_string(1 + dice_.roll(3)) : "";
    ++asked_;
    life_->wait_for(
        any_model(), version, deadline,
        [this, deadline, once = once()](Result<VersionHandle> result) {
          answer(once);
          EXPECT_LE(time_.now(), deadline) << "answered after its deadline";
          if (!result) return;
          EXPECT_TRUE(alive_.contains(result->get())) << "a handle of a version that is gone";
          (*result)->last_used.store(time_.now().time_since_epoch().count());
          // Holds the version for a while, as a request does.
          time_.after(dice_.up_to(milliseconds(60)), [this, handle = *result]() mutable {
            EXPECT_TRUE(alive_.contains(handle.get()));
            handle.reset();
          });
        },
        time_.now());
  }

  static std::shared_ptr<bool> once() { return std::make_shared<bool>(false); }
  void answer(const std::shared_ptr<bool>& once) {
    EXPECT_FALSE(*once) << "answered twice";
    *once = true;
    ++answered_;
  }

  void start(LoadJob job) {
    ++loading_;
    EXPECT_LE(loading_, options_.loads_max);
    if (dice_.one_in(2)) time_.after(milliseconds(1), [this, id = job.id] { life_->warming(id); });
    time_.after(milliseconds(2) + dice_.up_to(milliseconds(60)), [this, job = std::move(job)] { finish(job); });
  }

  void finish(const LoadJob& job) {
    --loading_;
    if (dice_.one_in(5)) {
      const Code code = dice_.one_in(3) ? Code::kInvalidArgument : Code::kUnavailable;
      return life_->load_finished(job.id, fail(code, "bad luck"), time_.now());
    }
    const std::uint64_t bytes = 1 + job.found.fingerprint % kBytesMax;
    auto made = std::make_unique<LoadedVersion>();
    made->model_name = job.found.model;
    made->version = job.found.version;
    made->config = job.config;
    alive_[made.get()] = bytes;
    VersionHandle handle(made.release(), [this, ended = ended_, id = job.id](LoadedVersion* last) {
      const std::unique_ptr<LoadedVersion> dead(last);
      if (*ended) return;
      alive_.erase(last);
      time_.after(dice_.up_to(milliseconds(3)), [this, id] { life_->departed(id); });
    });
    life_->load_finished(job.id, LoadOutcome{std::move(handle), bytes}, time_.now());
  }

  void advance() {
    const TimePoint again = life_->advance(time_.now());
    Effects effects = life_->take_effects();
    effects.released.clear();
    for (auto& job : effects.loads) start(std::move(job));
    for (auto& answer : effects.answers) answer();
    if (again != kNever && !(pending_look_ > time_.now() && pending_look_ <= again)) {
      EXPECT_GT(again, time_.now()) << "the policy asks to be asked at once";
      pending_look_ = again;
      time_.at(again, [] {});
    }
    check();
  }

  void check() {
    std::uint64_t bytes = 0;
    for (const auto& [version, size] : alive_) bytes += size;
    if (options_.memory_budget != 0) {
      EXPECT_LE(bytes, options_.memory_budget + options_.loads_max * kBytesMax) << "above the memory budget";
      EXPECT_LE(life_->memory_used(), options_.memory_budget + options_.loads_max * kBytesMax);
    }
    for (const auto& [name, source] : sources_) check_availability(name, source);
  }

  /// A model with a ready version answers requests that name none, unless somebody set another default.
  void check_availability(const std::string& name, const Source& source) {
    const ModelRoute* route = directory_.find(name);
    if (route == nullptr || route->default_version != 0 || !source.config.versions.availability_preserving) return;
    const auto chosen = route->slot->find(0);
    if (!route->slot->ready().empty()) {
      EXPECT_TRUE(chosen.handle || chosen.wakes) << name << " has a ready version that requests do not get";
    }
  }

  std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
  SimulatedTime time_;
  Dice dice_;
  LifeCycleOptions options_;
  std::map<LoadedVersion*, std::uint64_t> alive_;
  Directory directory_;
  std::map<std::string, Source> sources_;
  std::uint64_t fingerprints_ = 0;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  std::size_t loading_ = 0;
  TimePoint pending_look_{};
  std::unique_ptr<LifeCycle> life_;
};

TEST(VersionSimulation, KeepsItsPromisesInEveryHistory) {
  log::configure(log::Level::kOff, log::Format::kText);
  testing::run_histories(300, [](std::uint64_t seed) { World(seed).run(); });
}

}  // namespace
}  // namespace protean
