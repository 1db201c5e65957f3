// SPDX-License-Identifier: Apache-2.0
// Where requests run, and those that must not run: expired, abandoned, too many.
#include "serving/scheduling/scheduler.h"

#include <gtest/gtest.h>

#include <future>
#include <semaphore>

#include "serving/fake_backend.h"

namespace protean {
namespace {

class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return TimePoint(Duration(now_.load())); }
  void advance(Duration by) { now_ += by.count(); }

 private:
  std::atomic<Duration::rep> now_{1'000'000'000};
};

/// A model that waits inside run() until it is opened.
class GateModel final : public Model {
 public:
  GateModel() {
    signature_.inputs = {{"x", DataType::kUint8, {-1}, {}, false, false}};
    signature_.outputs = {{"y", DataType::kUint8, {-1}, {}, false, false}};
  }
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    entered.release();
    opened.acquire();
    return std::vector<Tensor>{*request.inputs.front()};
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

  std::counting_semaphore<> entered{0};
  std::counting_semaphore<> opened{0};

 private:
  Signature signature_;
};

struct TestCall final : InferCall {
  explicit TestCall(VersionHandle handle, std::size_t rows = 1) {
    Buffer data(rows);
    std::fill_n(data.data(), rows, std::byte{1});
    own.inputs.push_back({"x", {DataType::kUint8, {static_cast<std::int64_t>(rows)}, std::move(data).share()}, {}});
    request = &own;
    version = std::move(handle);
  }
  [[nodiscard]] bool cancelled() const noexcept override { return abandoned; }
  void on_cancel(std::function<void()> leave) override { on_leave = std::move(leave); }
  void done(Result<InferResult> result, RunTimes) override {
    ran_on = std::this_thread::get_id();
    answer.set_value(std::move(result));
  }

  InferRequest own;
  std::function<void()> on_leave;
  std::atomic<bool> abandoned{false};
  std::thread::id ran_on;
  std::promise<Result<InferResult>> answer;
};

class SchedulerTest : public ::testing::Test {
 protected:
  VersionHandle version_of(std::unique_ptr<Model> model) {
    auto version = std::make_shared<LoadedVersion>();
    version->model_name = "m";
    version->version = 1;
    version->version_text = "1";
    version->signature = std::make_shared<const Signature>(model->signature());
    version->model = std::move(model);
    version->metrics = std::make_shared<ModelMetrics>(registry_, "m", "1");
    return version;
  }
  VersionHandle quick() { return version_of(std::make_unique<testing::FakeModel>("MODEL", alive_)); }
  static Result<InferResult> wait(TestCall& call) { return call.answer.get_future().get(); }

  metrics::Registry registry_;
  std::atomic<int> alive_{0};
  ManualClock clock_;
};

TEST_F(SchedulerTest, RunsAnUnmeasuredModelOnTheExecutorAndACheapOneInline) {
  Scheduler scheduler({1, 8}, clock_);
  const auto version = quick();
  const auto first = std::make_shared<TestCall>(version);
  scheduler.submit(first);
  ASSERT_TRUE(wait(*first));
  EXPECT_NE(first->ran_on, std::this_thread::get_id());
  // The clock stands still, so the run was measured at no cost.
  const auto second = std::make_shared<TestCall>(version);
  scheduler.submit(second);
  ASSERT_TRUE(wait(*second));
  EXPECT_EQ(second->ran_on, std::this_thread::get_id());
}

TEST_F(SchedulerTest, HandsAnUnusuallyLargeRequestOfACheapModelOver) {
  Scheduler scheduler({1, 8}, clock_);
  const auto version = quick();
  version->cost.observe(std::chrono::microseconds(1), 16);
  const auto large = std::make_shared<TestCall>(version, 100'000);
  scheduler.submit(large);
  ASSERT_TRUE(wait(*large));
  EXPECT_NE(large->ran_on, std::this_thread::get_id());
}

TEST_F(SchedulerTest, AnswersWithTheModelsOutputs) {
  Scheduler scheduler({1, 8}, clock_);
  const auto call = std::make_shared<TestCall>(quick());
  scheduler.submit(call);
  const auto result = wait(*call);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->model, "m");
  EXPECT_EQ(result->version, "1");
  EXPECT_EQ(result->outputs.at(0).name, "y");
  EXPECT_EQ(result->outputs.at(0).tensor.data.bytes[0], std::byte{6});  // 1 + five letters of MODEL
}

TEST_F(SchedulerTest, RefusesARequestWhoseDeadlineHasPassed) {
  Scheduler scheduler({1, 8}, clock_);
  const auto call = std::make_shared<TestCall>(quick());
  call->own.deadline = clock_.now();
  scheduler.submit(call);
  EXPECT_EQ(wait(*call).error().code, Code::kDeadlineExceeded);
}

class BusySchedulerTest : public SchedulerTest {
 protected:
  BusySchedulerTest() {
    auto model = std::make_unique<GateModel>();
    gate_ = model.get();
    version_ = version_of(std::move(model));
    running_ = std::make_shared<TestCall>(version_);
    scheduler_.submit(running_);
    gate_->entered.acquire();
  }
  ~BusySchedulerTest() override { gate_->opened.release(100); }

  GateModel* gate_;
  VersionHandle version_;
  Scheduler scheduler_{{1, 2}, clock_};
  std::shared_ptr<TestCall> running_;
};

TEST_F(BusySchedulerTest, NeverRunsWhatExpiredWhileWaiting) {
  const auto call = std::make_shared<TestCall>(version_);
  call->own.deadline = clock_.now() + std::chrono::seconds(1);
  scheduler_.submit(call);
  clock_.advance(std::chrono::seconds(2));
  gate_->opened.release();
  EXPECT_EQ(wait(*call).error().code, Code::kDeadlineExceeded);
  EXPECT_FALSE(gate_->entered.try_acquire());
}

TEST_F(BusySchedulerTest, NeverRunsWhatItsClientAbandoned) {
  const auto call = std::make_shared<TestCall>(version_);
  scheduler_.submit(call);
  call->abandoned = true;
  gate_->opened.release();
  EXPECT_EQ(wait(*call).error().code, Code::kCancelled);
  EXPECT_FALSE(gate_->entered.try_acquire());
}

TEST_F(BusySchedulerTest, RefusesMoreThanTheQueueHolds) {
  std::vector<std::shared_ptr<TestCall>> waiting;
  for (int i = 0; i < 2; ++i) scheduler_.submit(waiting.emplace_back(std::make_shared<TestCall>(version_)));
  const auto refused = std::make_shared<TestCall>(version_);
  scheduler_.submit(refused);
  EXPECT_EQ(wait(*refused).error().code, Code::kResourceExhausted);
  gate_->opened.release(3);
  for (const auto& call : waiting) EXPECT_TRUE(wait(*call));
}

TEST_F(BusySchedulerTest, FinishesWhatWaitsBeforeItStops) {
  const auto call = std::make_shared<TestCall>(version_);
  scheduler_.submit(call);
  gate_->opened.release(2);
  scheduler_.stop();
  EXPECT_TRUE(wait(*call));
  const auto late = std::make_shared<TestCall>(version_);
  scheduler_.submit(late);
  EXPECT_EQ(wait(*late).error().code, Code::kUnavailable);
}

TEST_F(SchedulerTest, KeepsTheVersionAliveUntilItsLastRequestEnds) {
  {
    Scheduler scheduler({1, 8}, clock_);
    auto call = std::make_shared<TestCall>(quick());
    EXPECT_EQ(alive_, 1);
    scheduler.submit(call);
    ASSERT_TRUE(wait(*call));
  }
  EXPECT_EQ(alive_, 0);
}

}  // namespace
}  // namespace protean
