// SPDX-License-Identifier: Apache-2.0
#include "serving/versions/load_pipeline.h"

#include <gtest/gtest.h>

#include <future>

#include "serving/fake_backend.h"
#include "serving/temporary_folder.h"

namespace protean {
namespace {

using testing::FakeBackend;
using testing::TemporaryFolder;

class LoadPipelineTest : public ::testing::Test {
 protected:
  LoadPipelineTest() {
    pipeline_.reaper = reaper_.get();
    pipeline_.registry = &registry_;
    pipeline_.check_files = false;
    pipeline_.probe = [](Model&) { return BatchFacts{true, "rows are independent"}; };
  }
  Result<LoadOutcome> load(const std::string& content, std::function<void()> destroyed = {}) {
    folder_.write("m/1/model", content);
    LoadJob job;
    job.found.model = "m";
    job.found.version = 1;
    job.found.path = folder_.path() / "m/1/model";
    job.found.folder = folder_.path() / "m/1";
    job.found.backend = &backend_;
    job.config = std::make_shared<const ModelConfig>(config_);
    return run_load(
        pipeline_, job, std::make_shared<ModelMetrics>(registry_, "m", "1"), [] {}, std::move(destroyed));
  }

  TemporaryFolder folder_;
  FakeBackend backend_;
  metrics::Registry registry_;
  ModelConfig config_;
  std::shared_ptr<Reaper> reaper_ = Reaper::make();
  LoadPipeline pipeline_;
};

TEST_F(LoadPipelineTest, KnowsTheCostCurveBeforeTheFirstRequest) {
  const auto outcome = load("MODEL");
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->handle->cost.known());
  EXPECT_TRUE(outcome->handle->cost.curve_known());
}

TEST_F(LoadPipelineTest, SettlesHowTheProcessorsAreSharedOut) {
  auto outcome = load("MODEL");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->handle->threading.why, "there is one run thread");
  pipeline_.scaling.run_threads = 2;
  config_.instances = 2;
  config_.intra_op_threads = 3;
  outcome = load("MODEL");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->handle->threading.threads, 3);
}

TEST_F(LoadPipelineTest, TurnsAThrowingBackendIntoAFailedLoad) {
  const auto outcome = load("MODEL throws");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message, "the backend 'fake' threw: a surprise");
}

TEST_F(LoadPipelineTest, FailsTheLoadWhenTheWarmUpFails) {
  const auto outcome = load("MODEL cold");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message, "warm-up with a generated input of 1 rows failed: the model cannot run");
}

int runs_of(const LoadedVersion& version) { return dynamic_cast<const testing::FakeModel&>(*version.model).runs; }

TEST_F(LoadPipelineTest, NeverRunsAStatefulModelByItself) {
  pipeline_.scaling.run_threads = 2;
  pipeline_.probe = [](Model&) -> BatchFacts {
    ADD_FAILURE() << "it was probed";
    return {};
  };
  config_.warm_up.replayed_max = 8;
  const auto outcome = load("MODEL stateful");
  ASSERT_TRUE(outcome) << outcome.error().message;
  const LoadedVersion& version = *outcome->handle;
  EXPECT_EQ(runs_of(version), 0);
  EXPECT_FALSE(version.batch.batchable);
  EXPECT_EQ(version.batch.reason, "a run may change what later runs answer");
  EXPECT_EQ(version.threading.why, "not measured: a run may change what later runs answer");
  EXPECT_EQ(version.recent, nullptr);
  EXPECT_EQ(version.notes.front(), "a run may change what later runs answer: none is made up, repeated or shared");
}

TEST_F(LoadPipelineTest, KeepsNoAnswersOfAModelWithAStatefulFunction) {
  config_.cache_bytes_max = 1 << 20;
  for (const char* content : {"MODEL stateful", "MODEL counter"}) {
    const auto outcome = load(content);
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_EQ(outcome->handle->cache, nullptr);
    EXPECT_EQ(outcome->handle->notes.back(), "no response cache: a run may change what later runs answer");
  }
}

TEST_F(LoadPipelineTest, TreatsEachFunctionByWhatItDoes) {
  const auto outcome = load("MODEL counter");
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_GT(runs_of(*outcome->handle), 0);
  EXPECT_TRUE(outcome->handle->batch.batchable);
  ASSERT_EQ(outcome->handle->functions.size(), 1U);
  EXPECT_EQ(runs_of(*outcome->handle->functions[0]), 0);
  EXPECT_FALSE(outcome->handle->functions[0]->batch.batchable);
}

TEST_F(LoadPipelineTest, FreesTheResponseCacheWithItsVersion) {
  config_.cache_bytes_max = 1 << 20;
  std::promise<void> destroyed;
  auto outcome = load("MODEL", [&] { destroyed.set_value(); });
  ASSERT_TRUE(outcome);
  const std::weak_ptr<ResponseCache> cache = outcome->handle->cache;
  EXPECT_FALSE(cache.expired());
  outcome->handle.reset();
  destroyed.get_future().wait();
  EXPECT_TRUE(cache.expired());
  EXPECT_EQ(backend_.alive, 0);
}

}  // namespace
}  // namespace protean
