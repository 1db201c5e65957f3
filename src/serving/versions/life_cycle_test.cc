// SPDX-License-Identifier: Apache-2.0
// Single histories that a simulation found first, and the bounds of retries.
#include "serving/versions/life_cycle.h"

#include <gtest/gtest.h>

#include "base/log.h"

namespace protean {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LifeCycleTest : public ::testing::Test {
 protected:
  LifeCycleTest() {
    log::configure(log::Level::kOff, log::Format::kText);
    config_.retries = {3, milliseconds(10), milliseconds(40)};
  }
  /// `files`: version and fingerprint, which is also its size in bytes.
  void found(const std::string& model, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& files) {
    ModelFound all{model, {}, std::make_shared<const ModelConfig>(config_)};
    if (!readable_) all.config = fail(Code::kInvalidArgument, "not TOML");
    for (const auto& [version, fingerprint] : files) {
      FoundVersion one;
      one.model = model;
      one.version = version;
      one.fingerprint = fingerprint;
      one.files_bytes = fingerprint;
      all.versions.push_back(std::move(one));
    }
    life_.found(std::move(all), now_, true);
  }
  /// The loads that start now.
  std::vector<LoadJob> advance() {
    again_ = life_.advance(now_);
    Effects effects = life_.take_effects();
    effects.released.clear();
    for (auto& answer : effects.answers) answer();
    return std::move(effects.loads);
  }
  void succeed(const LoadJob& job) {
    auto version = std::make_shared<LoadedVersion>();
    version->version = job.found.version;
    version->threading.threads = 7;
    life_.load_finished(job.id, LoadOutcome{std::move(version), job.found.fingerprint}, now_);
  }
  void fail_load(const LoadJob& job, Code code = Code::kUnavailable) {
    life_.load_finished(job.id, fail(code, "bad luck"), now_);
  }
  /// Lets time pass until nothing is planned, failing every load.  Returns how many there were.
  int fail_all(std::vector<LoadJob> jobs) {
    int loads = 0;
    for (int rounds = 0; rounds < 100; ++rounds) {
      for (const auto& job : jobs) fail_load(job);
      loads += static_cast<int>(jobs.size());
      jobs = advance();
      if (jobs.empty() && again_ == kNever) return loads;
      if (jobs.empty()) now_ = again_;
    }
    return loads;
  }
  std::uint64_t serving(const std::string& model) {
    const ModelRoute* route = directory_.find(model);
    const auto handle = route == nullptr ? nullptr : route->slot->find(0).handle;
    return handle ? handle->version : 0;
  }

  ModelConfig config_;
  bool readable_ = true;
  TimePoint now_{seconds(1)};
  TimePoint again_ = kNever;
  Directory directory_;
  LifeCycle life_{{100, 1, 8, {}, milliseconds(50)}, directory_};
};

TEST_F(LifeCycleTest, TriesALoadAsOftenAsConfigured) {
  found("m", {{1, 10}});
  EXPECT_EQ(fail_all(advance()), 3);
}

TEST_F(LifeCycleTest, TellsALoadWhatTheVersionBeforeChoseAndWhatMemoryIsLeft) {
  found("m", {{1, 10}});
  const auto first = advance();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_FALSE(first[0].before);
  EXPECT_EQ(first[0].spare_bytes, 100U);
  succeed(first[0]);
  found("m", {{1, 10}, {2, 30}});
  const auto second = advance();
  ASSERT_EQ(second.size(), 1U);
  ASSERT_TRUE(second[0].before);
  EXPECT_EQ(second[0].before->threads, 7U);
  EXPECT_EQ(second[0].spare_bytes, 90U);
}

TEST_F(LifeCycleTest, SeesRequestsThatWaitOrRun) {
  found("m", {{1, 10}});
  succeed(advance().at(0));
  EXPECT_TRUE(advance().empty());
  EXPECT_FALSE(life_.serves_requests());
  const auto handle = directory_.find("m")->slot->find(0).handle;
  handle->waiting = 1;
  EXPECT_TRUE(life_.serves_requests());
  handle->waiting = 0;
  handle->lane.running = 1;
  EXPECT_TRUE(life_.serves_requests());
}

TEST_F(LifeCycleTest, TriesNewFilesOfAServingOnDemandVersionAsOftenAsConfigured) {
  config_.residency.on_demand = true;
  found("m", {{1, 10}});
  EXPECT_TRUE(advance().empty());
  life_.wait_for(
      "m", "", kNever, [](const auto&) {}, now_);
  succeed(advance().at(0));
  EXPECT_TRUE(advance().empty());
  found("m", {{1, 11}});
  EXPECT_EQ(fail_all(advance()), 3);
  EXPECT_EQ(serving("m"), 1U) << "the files before go on";
}

TEST_F(LifeCycleTest, TriesTheSuccessorOfAnOnDemandVersionAsOftenAsConfiguredUntilSomebodyAsks) {
  config_.residency.on_demand = true;
  found("m", {{1, 10}});
  EXPECT_TRUE(advance().empty());
  life_.wait_for(
      "m", "", kNever, [](const auto&) {}, now_);
  succeed(advance().at(0));
  found("m", {{1, 10}, {2, 12}});
  EXPECT_EQ(fail_all(advance()), 3);
  now_ += seconds(1);
  EXPECT_TRUE(advance().empty());
  life_.wait_for(
      "m", "2", kNever, [](const auto&) {}, now_);
  EXPECT_EQ(advance().size(), 1U);
}

TEST_F(LifeCycleTest, AnswersWhoAsksInTheMomentInWhichALoadFailsForGood) {
  config_.residency.on_demand = true;
  found("m", {{1, 10}});
  EXPECT_TRUE(advance().empty());
  int refused = 0;
  const auto count = [&](const Result<VersionHandle>& result) { refused += result ? 0 : 1; };
  life_.wait_for("m", "", kNever, count, now_);
  const auto jobs = advance();
  fail_load(jobs.at(0), Code::kInvalidArgument);
  life_.wait_for("m", "", kNever, count, now_);  // before the directory says that it does not wake
  EXPECT_TRUE(advance().empty());
  EXPECT_EQ(refused, 2);
  EXPECT_EQ(life_.waiting(), 0U);
}

TEST_F(LifeCycleTest, EvictsNoVersionThatServesUntilAnotherOneDoes) {
  config_.versions = {VersionPolicy::Choice::kLatest, 1, {}, true, {}};
  found("m", {{1, 60}});
  succeed(advance().at(0));
  EXPECT_TRUE(advance().empty());
  found("m", {{1, 60}, {2, 30}});
  EXPECT_EQ(fail_all(advance()), 3);
  EXPECT_EQ(serving("m"), 1U);
  config_.residency.on_demand = true;
  found("other", {{1, 70}});
  EXPECT_TRUE(advance().empty());
  life_.wait_for(
      "other", "", kNever, [](const auto&) {}, now_);
  const auto jobs = advance();
  ASSERT_EQ(jobs.size(), 1U);
  succeed(jobs[0]);
  EXPECT_TRUE(advance().empty());
  EXPECT_EQ(serving("m"), 1U) << "nothing else of it could serve";
}

TEST_F(LifeCycleTest, KeepsWhatServesWhileTheConfigurationThatCallsForItsSuccessorCannotBeRead) {
  config_.versions = {VersionPolicy::Choice::kLatest, 1, {}, true, {}};
  found("m", {{1, 10}});
  succeed(advance().at(0));
  EXPECT_TRUE(advance().empty());
  readable_ = false;
  found("m", {{1, 10}, {2, 12}});
  EXPECT_TRUE(advance().empty());
  EXPECT_EQ(serving("m"), 1U);
}

TEST_F(LifeCycleTest, ForgetsAnOrderThatEndedBeforeTheLoadBegan) {
  config_.residency.pinned = true;
  found("big", {{1, 90}});
  succeed(advance().at(0));
  config_.residency.pinned = false;
  found("busy", {{1, 1}});
  const auto busy = advance();
  ASSERT_EQ(busy.size(), 1U);
  config_.versions = {VersionPolicy::Choice::kLatest, 1, {}, true, {}};
  found("m", {{1, 50}});
  EXPECT_TRUE(advance().empty()) << "it waits for the loader";
  int ended = 0;
  life_.load_model(
      "m", "tester", [&](const Status&) { ++ended; }, now_);
  found("m", {{1, 50}, {2, 50}});
  EXPECT_TRUE(advance().empty());
  EXPECT_EQ(ended, 1) << "the version is not chosen any more";
  found("m", {{1, 50}});
  fail_load(busy.at(0), Code::kInvalidArgument);
  EXPECT_TRUE(advance().empty()) << "no room for it, so it sleeps, and is not tried again at once";
}

TEST_F(LifeCycleTest, AsksForNothingAtOnceWhileItsOnlyLoaderIsBusy) {
  config_.residency.on_demand = true;
  found("held", {{1, 90}});
  EXPECT_TRUE(advance().empty());
  VersionHandle held;
  life_.wait_for(
      "held", "", kNever, [&](const auto& result) { held = *result; }, now_);
  succeed(advance().at(0));
  EXPECT_TRUE(advance().empty());
  found("a", {{1, 80}});
  EXPECT_TRUE(advance().empty());
  life_.wait_for(
      "a", "", kNever, [](const auto&) {}, now_);
  const auto first = advance();
  ASSERT_EQ(first.size(), 1U) << "its memory is not known yet";
  succeed(first[0]);
  EXPECT_TRUE(advance().empty()) << "the evicted version is still held";
  EXPECT_GT(again_, now_);
  now_ += milliseconds(50);
  EXPECT_TRUE(advance().empty());
  EXPECT_GT(again_, now_);
}

}  // namespace
}  // namespace protean
