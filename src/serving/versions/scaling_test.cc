// SPDX-License-Identifier: Apache-2.0
// What is measured, what is left out and why, with figures and times made up; and that points really run at once.
#include "serving/versions/scaling.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <stdexcept>
#include <vector>

namespace protean {
namespace {

using std::chrono::milliseconds;

const std::vector<std::string> kTwice = {"loaded twice; at first: as loaded", "loaded again"};

class HandClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return TimePoint(Duration(now_.load())); }
  void pass(Duration time) { now_ += time.count(); }

 private:
  std::atomic<Duration::rep> now_{1'000'000'000};
};

/// A run takes `run_time` of the hand-driven clock.
class TimedModel final : public Model {
 public:
  TimedModel(HandClock& clock, Duration run_time) : clock_(clock), run_time_(run_time) {
    signature_.inputs = {{"x", DataType::kFp32, {-1, -1}, {}, false, false}};
    signature_.outputs = {{"y", DataType::kFp32, {-1, -1}, {}, false, false}};
  }
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    ++runs;
    if (before_run) before_run();
    if (request.inputs[0]->shape[1] > columns_max) return fail(Code::kInvalidArgument, "too many columns");
    clock_.pass(run_time_);
    return std::vector<Tensor>{*request.inputs[0]};
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {bytes, 0}; }
  [[nodiscard]] std::vector<std::string> load_notes() const override { return {note}; }

  std::function<void()> before_run;
  std::int64_t columns_max = 1000;
  std::uint64_t bytes = 100;
  std::string note = "as loaded";
  std::atomic<int> runs{0};

 private:
  HandClock& clock_;
  const Duration run_time_;
  Signature signature_;
};

class ScalingTest : public ::testing::Test {
 protected:
  ScalingTest() {
    options_.run_threads = 2;
    options_.clock = &clock_;
    options_.measure = [this](Model&, RunInputs, const PointPlan& plan) -> Result<ScalingPoint> {
      asked_.emplace_back(plan.at_once, plan.threads);
      if (refusal_) return tl::unexpected(*refusal_);
      clock_.pass(plan.time);
      const double work = work_.at(asked_.back());
      return ScalingPoint{plan.at_once, plan.threads, 100 * work,
                          std::chrono::duration_cast<Duration>(milliseconds(10) * plan.at_once / work)};
    };
    job_.load = [this](std::uint32_t threads) -> Result<std::unique_ptr<Model>> {
      loaded_threads_.push_back(threads);
      auto model = std::make_unique<TimedModel>(clock_, milliseconds(6));
      model->note = "loaded again";
      return model;
    };
    use(milliseconds(10));
  }
  TimedModel& use(Duration run_time) {
    auto model = std::make_unique<TimedModel>(clock_, run_time);
    TimedModel& made = *model;
    version_.signature = std::make_shared<const Signature>(model->signature());
    version_.model = std::move(model);
    version_.notes = version_.model->load_notes();
    return made;
  }
  const Threading& settle() {
    version_.config = std::make_shared<const ModelConfig>(config_);
    settle_threading(version_, options_, job_);
    return version_.threading;
  }
  using Asked = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

  HandClock clock_;
  LoadedVersion version_;
  ModelConfig config_;
  ScalingOptions options_;
  ScalingJob job_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> work_ = {
      {{1, 1}, 1}, {{2, 1}, 1.9}, {{1, 2}, 1.3}, {{2, 2}, 1.5}};
  std::optional<Error> refusal_;
  Asked asked_;
  std::vector<std::uint32_t> loaded_threads_;
};

TEST_F(ScalingTest, MeasuresInstancesThenTheSharedPoolAndKeepsWhatWon) {
  const Threading& choice = settle();
  EXPECT_EQ(asked_, (Asked{{1, 1}, {2, 1}, {1, 2}, {2, 2}}));
  EXPECT_EQ(loaded_threads_, (std::vector<std::uint32_t>{2}));
  EXPECT_EQ(choice.instances, 2);
  EXPECT_EQ(choice.threads, 1);
  EXPECT_EQ(version_.notes, (std::vector<std::string>{"as loaded"}));
}

TEST_F(ScalingTest, ExchangesTheModelWhenThreadsPay) {
  work_[{1, 2}] = 1.85;
  const Threading& choice = settle();
  EXPECT_EQ(choice.threads, 2);
  EXPECT_EQ(version_.notes, kTwice);
}

TEST_F(ScalingTest, LeavesCheapModelsAlone) {
  use(std::chrono::microseconds(999));
  EXPECT_EQ(settle().why, "a run takes 999 us, too little to share out");
  EXPECT_EQ(version_.threading.run_limit, 0);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(ScalingTest, HasNothingToChooseWithOneRunThreadOrWhenAllIsSaid) {
  options_.run_threads = 1;
  EXPECT_EQ(settle().why, "there is one run thread");
  options_.run_threads = 2;
  config_.instances = 2;
  config_.intra_op_threads = 1;
  EXPECT_EQ(settle().why, "");
  EXPECT_TRUE(asked_.empty());
}

TEST_F(ScalingTest, ChoosesTheOtherWhereOneIsSaid) {
  config_.intra_op_threads = 2;
  EXPECT_EQ(settle().threads, 2);
  EXPECT_EQ(asked_, (Asked{{1, 2}, {2, 2}}));
  EXPECT_TRUE(loaded_threads_.empty());
  asked_.clear();
  config_.intra_op_threads = 0;
  config_.batch.preserve_order = true;
  EXPECT_EQ(settle().threads, 2) << "one run at once does 1.3 times the work with two threads";
  EXPECT_EQ(asked_, (Asked{{1, 1}, {1, 2}}));
}

TEST_F(ScalingTest, LooksBetweenOneAndAllOnlyWhereAllDoNotScale) {
  options_.run_threads = 8;
  options_.threads_default = 1;
  work_ = {{{1, 1}, 1}, {{8, 1}, 7.5}};
  settle();
  EXPECT_EQ(asked_, (Asked{{1, 1}, {8, 1}}));
  asked_.clear();
  work_ = {{{1, 1}, 1}, {{8, 1}, 1.95}, {{4, 1}, 1.9}, {{2, 1}, 1.8}};
  EXPECT_EQ(settle().run_limit, 2);
  EXPECT_EQ(asked_, (Asked{{1, 1}, {8, 1}, {4, 1}, {2, 1}}));
}

TEST_F(ScalingTest, SaysWhyNothingWasMeasured) {
  refusal_ = fail(Code::kAborted, "requests came").value();
  EXPECT_EQ(settle().why, "not measured: requests came");
  EXPECT_FALSE(version_.threading.measured);
  use(milliseconds(1100));
  EXPECT_EQ(settle().why, "not measured: a run takes 1.1 s");
  config_.warm_up.generated_runs = 0;
  EXPECT_EQ(settle().why, "not measured: generated runs are switched off");
}

TEST_F(ScalingTest, TakesOverWhatWasFoundForTheVersionBefore) {
  refusal_ = fail(Code::kAborted, "requests came").value();
  job_.before = Threading{1, 1, 2, true, "figures"};
  const Threading& choice = settle();
  EXPECT_EQ(choice.run_limit, 1);
  EXPECT_EQ(choice.threads, 2);
  EXPECT_EQ(choice.why, "as before: figures");
  EXPECT_EQ(version_.notes, kTwice);
  job_.before = choice;
  EXPECT_EQ(settle().why, "as before: figures") << "said once";
}

TEST_F(ScalingTest, DoesWithoutThePoolWhereMemoryOrTimeIsShort) {
  job_.spare_bytes = 199;
  EXPECT_TRUE(settle().why.ends_with("; threads not tried: no memory for a second copy")) << version_.threading.why;
  job_.spare_bytes = 200;
  job_.load_time = std::chrono::seconds(6);
  EXPECT_TRUE(settle().why.ends_with("; threads not tried: it loads too slowly")) << version_.threading.why;
  EXPECT_TRUE(loaded_threads_.empty());
  EXPECT_EQ(version_.threading.instances, 2);
}

TEST_F(ScalingTest, FindsASizeThatTheModelTakes) {
  use(milliseconds(10)).columns_max = 8;
  EXPECT_TRUE(settle().measured);
}

class MeasurePointTest : public ::testing::Test {
 protected:
  Result<ScalingPoint> measure(std::uint32_t at_once, Duration time) {
    return measure_point(model_, inputs_, {at_once, 2, time, busy_, clock_});
  }

  HandClock clock_;
  TimedModel model_{clock_, milliseconds(5)};
  Tensor tensor_{DataType::kFp32, {1, 0}, {}};
  std::vector<const Tensor*> inputs_ = {&tensor_};
  std::function<bool()> busy_;
};

TEST_F(MeasurePointTest, CountsRunsUntilTheTimeIsOver) {
  const auto point = measure(1, milliseconds(20));
  ASSERT_TRUE(point);
  EXPECT_EQ(model_.runs, 4);
  EXPECT_DOUBLE_EQ(point->runs_per_second, 200);
  EXPECT_EQ(point->run_time, milliseconds(5));
}

TEST_F(MeasurePointTest, RunsOnceEvenWithoutTime) {
  ASSERT_TRUE(measure(1, {}));
  EXPECT_EQ(model_.runs, 1);
}

TEST_F(MeasurePointTest, RunsAsManyAtOnceAsItSays) {
  // Each first run ends only when all three have begun.
  std::atomic<int> begun{0};
  model_.before_run = [&] {
    if (++begun == 3) begun.notify_all();
    for (int now = begun; now < 3; now = begun) begun.wait(now);
  };
  const auto point = measure(3, {});
  ASSERT_TRUE(point);
  EXPECT_EQ(point->at_once, 3);
  EXPECT_GE(model_.runs, 3);
}

TEST_F(MeasurePointTest, StopsWhenRequestsCome) {
  busy_ = [&] { return model_.runs >= 2; };
  const auto point = measure(1, std::chrono::hours(1));
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().message, "requests came");
  EXPECT_EQ(model_.runs, 2);
}

TEST_F(MeasurePointTest, PassesOnWhatTheModelSays) {
  model_.before_run = [] { throw std::runtime_error("a surprise"); };
  const auto point = measure(2, milliseconds(20));
  ASSERT_FALSE(point);
  EXPECT_EQ(point.error().message, "it threw: a surprise");
}

}  // namespace
}  // namespace protean
