// SPDX-License-Identifier: Apache-2.0
// Aliases, restarts, loads on demand, retries and warm-up over a real folder, with a clock that is moved by hand.
#include <gtest/gtest.h>

#include <future>

#include "serving/fake_backend.h"
#include "serving/temporary_folder.h"
#include "serving/versions/repository.h"

namespace protean {
namespace {

using testing::FakeBackend;
using testing::TemporaryFolder;

class HandClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return TimePoint(Duration(now_.load())); }
  void move(Duration by) { now_ += by.count(); }

 private:
  std::atomic<Duration::rep> now_{1'000'000'000};
};

/// Remembers what it was told, as long as `broken` is false.
class MemoryStore final : public Store {
 public:
  Result<std::vector<Alias>> aliases() override {
    const std::lock_guard lock(mutex_);
    std::vector<Alias> all;
    for (const auto& [key, version] : aliases_) all.push_back({key.first, key.second, version});
    return all;
  }
  Status change_aliases(std::span<const AliasChange> changes, std::span<const HistoryRecord> history) override {
    const std::lock_guard lock(mutex_);
    if (broken) return fail(Code::kResourceExhausted, "disk full");
    for (const auto& change : changes) {
      if (change.version) aliases_[{change.model, change.alias}] = *change.version;
      if (!change.version) aliases_.erase({change.model, change.alias});
    }
    history_.insert(history_.end(), history.begin(), history.end());
    return {};
  }
  Result<std::vector<std::string>> held_down() override {
    const std::lock_guard lock(mutex_);
    return std::vector<std::string>(held_.begin(), held_.end());
  }
  Status set_held_down(const std::string& model, bool held, const HistoryRecord& record) override {
    const std::lock_guard lock(mutex_);
    held ? static_cast<void>(held_.insert(model)) : static_cast<void>(held_.erase(model));
    history_.push_back(record);
    return {};
  }
  Status append_history(const HistoryRecord& record) override {
    const std::lock_guard lock(mutex_);
    history_.push_back(record);
    return {};
  }
  Result<std::vector<HistoryRecord>> history(const HistoryQuery&) override {
    const std::lock_guard lock(mutex_);
    return history_;
  }
  std::atomic<bool> broken{false};

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> aliases_;
  std::set<std::string> held_;
  std::vector<HistoryRecord> history_;
};

class RepositoryLife : public ::testing::Test {
 protected:
  void start() {
    repository_.reset();
    RepositoryParts parts{{&backend_}, registry_, &store_, {}, {}, {}};
    parts.config = [this](const auto&, std::string_view) -> Result<ModelConfig> { return config_; };
    parts.probe = [](Model&) { return BatchFacts{}; };
    parts.clock = &clock_;
    RepositoryOptions options;
    options.folder = folder_.path();
    options.watch = false;
    options.memory_budget = budget_;
    repository_ = std::make_unique<Repository>(options, std::move(parts));
    ASSERT_TRUE(repository_->start());
  }
  Status change(std::vector<AliasChange> changes) {
    std::promise<Status> done;
    repository_->change_aliases({std::move(changes), "tester"},
                                [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  Result<VersionHandle> acquire(const std::string& model, const std::string& version = "") {
    if (auto now = repository_->acquire(model, version)) return *std::move(now);
    auto done = std::make_shared<std::promise<Result<VersionHandle>>>();
    repository_->wait_for_load(model, version, kNever, [done](auto result) { done->set_value(std::move(result)); });
    return done->get_future().get();
  }
  std::uint64_t served(const std::string& model, const std::string& version = "") {
    const auto found = repository_->find(model, version);
    return found ? (*found)->version : 0;
  }
  template <typename F>
  void until(F condition) {
    while (!condition()) std::this_thread::yield();
  }

  metrics::Registry registry_;
  TemporaryFolder folder_;
  FakeBackend backend_;
  MemoryStore store_;
  HandClock clock_;
  ModelConfig config_;
  std::uint64_t budget_ = 0;
  std::unique_ptr<Repository> repository_;
};

TEST_F(RepositoryLife, MovesAliasesOfSeveralModelsTogetherOrNotAtAll) {
  for (const char* file : {"a/1/model", "a/2/model", "b/1/model", "b/2/model"}) folder_.write(file, "MODEL");
  start();
  ASSERT_TRUE(change({{"a", "default", 1}, {"b", "champion", 1}}));
  EXPECT_EQ(served("a"), 1U);
  EXPECT_EQ(served("a", "previous"), 2U);
  EXPECT_EQ(served("b", "champion"), 1U);
  const auto refused = change({{"a", "default", 2}, {"b", "champion", 7}});
  EXPECT_EQ(refused.error().message, "alias 'champion' of model 'b': there is no version 7");
  EXPECT_EQ(served("a"), 1U);
  store_.broken = true;
  EXPECT_EQ(change({{"a", "default", 2}}).error().code, Code::kResourceExhausted);
  EXPECT_EQ(served("a"), 1U);
  EXPECT_EQ(change({{"a", "7", 1}}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(change({{"a", "previous", 1}}).error().code, Code::kInvalidArgument);
}

TEST_F(RepositoryLife, RemembersAliasesAndWhatWasUnloadedAcrossARestart) {
  folder_.write("a/1/model", "MODEL");
  folder_.write("a/2/model", "MODEL");
  folder_.write("b/1/model", "MODEL");
  start();
  ASSERT_TRUE(change({{"a", "default", 1}}));
  std::promise<Status> unloaded;
  repository_->unload_model("b", "tester", [&](Status status) { unloaded.set_value(std::move(status)); });
  ASSERT_TRUE(unloaded.get_future().get());
  start();
  EXPECT_EQ(served("a"), 1U);
  EXPECT_EQ(served("b"), 0U);
  folder_.remove("a/1");
  start();
  EXPECT_EQ(served("a"), 2U) << "the default is gone: the newest takes over";
}

TEST_F(RepositoryLife, LoadsOnceForAllWhoWait) {
  folder_.write("a/1/model", "MODEL");
  config_.residency.on_demand = true;
  std::promise<void> open;
  backend_.gate = [opened = open.get_future().share()](const ModelFiles&) { opened.wait(); };
  start();
  EXPECT_EQ(backend_.loads, 0);
  EXPECT_EQ(repository_->statuses().at(0).state, VersionState::kAsleep);
  std::atomic<int> answered{0};
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(repository_->acquire("a", ""));
    repository_->wait_for_load("a", "", kNever, [&](const auto& result) { answered += result ? 1 : 0; });
  }
  std::atomic<bool> late{false};
  repository_->wait_for_load("a", "", clock_.now() + std::chrono::seconds(1), [&](const auto& result) {
    late = !result && result.error().code == Code::kDeadlineExceeded;
  });
  clock_.move(std::chrono::seconds(2));
  repository_->look_at_clock();
  until([&] { return late.load(); });
  open.set_value();
  until([&] { return answered == 10; });
  EXPECT_EQ(backend_.loads, 1);
}

TEST_F(RepositoryLife, EvictsWhatWasUnusedForLongest) {
  for (const char* file : {"a/model", "b/model", "c/model"}) folder_.write(file, "MODEL 8901");
  config_.residency.on_demand = true;
  budget_ = 25;  // two of ten bytes
  start();
  for (const char* model : {"a", "b"}) {
    ASSERT_TRUE(acquire(model));
    clock_.move(std::chrono::seconds(1));
  }
  ASSERT_TRUE(acquire("a"));
  clock_.move(std::chrono::seconds(1));
  ASSERT_TRUE(acquire("c"));
  EXPECT_EQ(served("a"), 1U);
  EXPECT_EQ(served("b"), 0U);
  EXPECT_EQ(served("c"), 1U);
  folder_.write("c/model", "MODEL with far too much in it for this budget");
  std::promise<Status> done;
  repository_->load_model("c", "tester", [&](Status status) { done.set_value(std::move(status)); });
  EXPECT_NE(done.get_future().get().error().message.find("of memory, but the budget is"), std::string::npos);
  EXPECT_EQ(served("c"), 1U);
}

TEST_F(RepositoryLife, RetriesOnItsScheduleAndSaysSo) {
  folder_.write("a/model", "MODEL flaky");
  start();
  EXPECT_EQ(repository_->find("a", "").error().message,
            "model 'a' is not ready: the disk is slow today (attempt 1 of 4, next in 1.0 s)");
  for (int attempt = 2; attempt <= 4; ++attempt) {
    clock_.move(std::chrono::seconds(10));
    repository_->look_at_clock();
    until(
        [&] { return backend_.loads == attempt && repository_->statuses().at(0).state == VersionState::kUnavailable; });
  }
  until([&] { return repository_->statuses().at(0).reason == "the disk is slow today"; });
}

TEST_F(RepositoryLife, WarmsUpAndRefusesAModelThatCannotRun) {
  folder_.write("good/model", "MODEL");
  folder_.write("cold/model", "MODEL cold");
  folder_.write("picky/model", "MODEL picky");
  folder_.write("throws/model", "MODEL throws");
  config_.retries.attempts_max = 1;
  start();
  EXPECT_EQ(repository_->find("cold", "").error().message,
            "model 'cold' is not ready: warm-up with a generated input of 1 rows failed: the model cannot run");
  EXPECT_EQ(repository_->find("throws", "").error().message,
            "model 'throws' is not ready: the backend 'fake' threw: a surprise");
  EXPECT_EQ((*repository_->find("good", ""))->notes.at(0).substr(0, 26), "warmed by 2 generated runs");
  EXPECT_EQ((*repository_->find("picky", ""))->notes.at(1),
            "generated input of 1 rows was refused: index out of range");
}

TEST_F(RepositoryLife, MeasuresARollback) {
  folder_.write("a/1/model", "MODEL");
  folder_.write("a/2/model", "MODEL");
  start();
  ASSERT_TRUE(change({{"a", "default", 2}}));
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(change({{"a", "default", 1}}));
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_EQ(served("a"), 1U);
  std::printf("rollback, asked to visible: %.1f us\n", std::chrono::duration<double, std::micro>(took).count());
}

}  // namespace
}  // namespace protean
