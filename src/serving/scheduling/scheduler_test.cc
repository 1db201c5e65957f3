// SPDX-License-Identifier: Apache-2.0
// Where requests run, and those that must not run: expired, abandoned, too many.
#include "serving/scheduling/scheduler.h"

#include <gtest/gtest.h>

#include <future>
#include <semaphore>
#include <thread>

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
    if (request.parameters != nullptr && !request.parameters->empty()) {
      parameters_seen += static_cast<int>(std::get<double>(request.parameters->front().second));
    }
    return std::vector<Tensor>{*request.inputs.front()};
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

  std::counting_semaphore<> entered{0};
  std::counting_semaphore<> opened{0};
  std::atomic<int> parameters_seen{0};  // the sum of their values

 private:
  Signature signature_;
};

/// Throws in every `one_in`-th run, otherwise answers what it is given.
class ThrowingModel final : public Model {
 public:
  explicit ThrowingModel(int one_in = 1) : one_in_(one_in) {
    signature_.inputs = {{"x", DataType::kUint8, {-1}, {}, false, false}};
    signature_.outputs = {{"y", DataType::kUint8, {-1}, {}, false, false}};
  }
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    if (++runs_ % one_in_ == 0) throw std::runtime_error("bad luck");
    return std::vector<Tensor>{*request.inputs.front()};
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

 private:
  const int one_in_;
  std::atomic<int> runs_{0};
  Signature signature_;
};

/// A model that runs until it is stopped.
class PatientModel final : public Model {
 public:
  PatientModel() {
    signature_.inputs = {{"x", DataType::kUint8, {-1}, {}, false, false}};
    signature_.outputs = {{"y", DataType::kUint8, {-1}, {}, false, false}};
  }
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    std::binary_semaphore stopped(0);
    const std::stop_callback on_stop(request.cancel, [&] { stopped.release(); });
    entered.release();
    stopped.acquire();
    return fail(Code::kCancelled, "stopped");
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

  std::counting_semaphore<> entered{0};

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

TEST_F(SchedulerTest, LosesNoRunThreadToAModelThatRunsElsewhere) {
  Scheduler scheduler({1, 8}, clock_);
  auto gate = std::make_unique<GateModel>();
  GateModel& hanging = *gate;
  const auto elsewhere = version_of(std::move(gate));
  elsewhere->remote_runs = 1;
  const auto hangs = std::make_shared<TestCall>(elsewhere);
  scheduler.submit(hangs);
  hanging.entered.acquire();
  const auto waits = std::make_shared<TestCall>(elsewhere);  // its one run is taken
  scheduler.submit(waits);
  const auto other = std::make_shared<TestCall>(quick());
  scheduler.submit(other, Scheduler::Inline::kRefused);
  EXPECT_TRUE(wait(*other));
  hanging.opened.release(2);
  EXPECT_TRUE(wait(*hangs));
  EXPECT_TRUE(wait(*waits));
  EXPECT_NE(hangs->ran_on, std::this_thread::get_id());
}

TEST_F(SchedulerTest, RunsAJobInPlaceOfTheModelOnTheExecutorAndLearnsNothingFromIt) {
  Scheduler scheduler({1, 8}, clock_);
  const auto version = quick();
  const auto call = std::make_shared<TestCall>(version, 100);
  std::thread::id ran_on;
  call->job = [&](const CheckedRequest& request, const std::stop_token& cancel) -> Status {
    ran_on = std::this_thread::get_id();
    EXPECT_EQ(request.inputs.size(), 1U);
    EXPECT_FALSE(cancel.stop_requested());
    return {};
  };
  scheduler.submit(call);
  const auto result = wait(*call);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->outputs.empty());
  EXPECT_NE(ran_on, std::this_thread::get_id());
  EXPECT_FALSE(version->cost.known());
  const auto failing = std::make_shared<TestCall>(version);
  failing->job = [](const CheckedRequest&, const std::stop_token&) -> Status { throw std::runtime_error("no luck"); };
  scheduler.submit(failing);
  EXPECT_EQ(wait(*failing).error().message, "the model threw: no luck (model m, version 1)");
}

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

TEST_F(BusySchedulerTest, SharesTheNextRunAmongThoseThatWait) {
  version_->batch = {true, "rows are independent"};
  std::vector<std::shared_ptr<TestCall>> waiting;
  for (std::size_t i = 1; i <= 2; ++i) scheduler_.submit(waiting.emplace_back(std::make_shared<TestCall>(version_, i)));
  gate_->opened.release(2);
  gate_->entered.acquire();
  for (std::size_t i = 1; i <= 2; ++i) {
    const auto result = wait(*waiting[i - 1]);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outputs.at(0).tensor.shape, Shape{static_cast<std::int64_t>(i)});
  }
  EXPECT_FALSE(gate_->entered.try_acquire()) << "two requests, one run";
}

TEST_F(BusySchedulerTest, KeepsRequestsApartWhoseParametersTheModelTakes) {
  version_->batch = {true, "rows are independent"};
  Signature signature = *version_->signature;
  signature.takes_parameters = true;
  version_->signature = std::make_shared<const Signature>(std::move(signature));
  std::vector<std::shared_ptr<TestCall>> waiting;
  for (const double scale : {1.0, 2.0}) {
    auto& call = waiting.emplace_back(std::make_shared<TestCall>(version_));
    call->own.parameters = {{"scale", scale}};
    scheduler_.submit(call);
  }
  gate_->opened.release(3);
  for (const auto& call : waiting) EXPECT_TRUE(wait(*call));
  gate_->entered.acquire();
  EXPECT_TRUE(gate_->entered.try_acquire()) << "two requests, two runs";
  EXPECT_EQ(gate_->parameters_seen.load(), 3) << "1 and 2: each with its own";
}

TEST_F(BusySchedulerTest, AnswersWhoLeavesTheQueueAtOnce) {
  const auto call = std::make_shared<TestCall>(version_);
  scheduler_.submit(call);
  call->abandoned = true;
  call->on_leave();
  EXPECT_EQ(wait(*call).error().code, Code::kCancelled);
}

TEST_F(SchedulerTest, StopsARunThatNobodyWaitsFor) {
  auto model = std::make_unique<PatientModel>();
  auto& entered = model->entered;
  Scheduler scheduler({1, 8}, clock_);
  const auto call = std::make_shared<TestCall>(version_of(std::move(model)));
  scheduler.submit(call);
  entered.acquire();
  call->abandoned = true;
  call->on_leave();
  EXPECT_EQ(wait(*call).error().code, Code::kCancelled);
}

TEST_F(SchedulerTest, MakesWhatAModelThrowsAnInternalErrorOfItsRequest) {
  Scheduler scheduler({1, 8}, clock_);
  const auto call = std::make_shared<TestCall>(version_of(std::make_unique<ThrowingModel>()));
  scheduler.submit(call);
  const auto result = wait(*call);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInternal);
  EXPECT_EQ(result.error().message, "the model threw: bad luck (model m, version 1)");
}

TEST_F(SchedulerTest, WaitsForCompanyAndThenRunsAlone) {
  Scheduler scheduler({2, 8});
  const auto version = quick();
  auto config = std::make_shared<ModelConfig>();
  config->batch.mode = BatchConfig::Mode::kOn;
  config->batch.delay = std::chrono::milliseconds(1);
  version->config = config;
  version->batch = {true, "rows are independent"};
  const auto call = std::make_shared<TestCall>(version);
  scheduler.submit(call);
  EXPECT_TRUE(wait(*call));
}

TEST_F(SchedulerTest, StartsWhatWaitedForAnInlineRunToEnd) {
  Scheduler scheduler({2, 8}, clock_);
  auto model = std::make_unique<GateModel>();
  GateModel* gate = model.get();
  const auto version = version_of(std::move(model));
  auto config = std::make_shared<ModelConfig>();
  config->instances = 1;
  version->config = config;
  version->cost.observe(std::chrono::microseconds(1), 16);
  const auto first = std::make_shared<TestCall>(version);
  std::thread other([&] { scheduler.submit(first); });
  gate->entered.acquire();
  const auto second = std::make_shared<TestCall>(version);
  scheduler.submit(second);
  EXPECT_FALSE(gate->entered.try_acquire()) << "one instance";
  gate->opened.release(2);
  EXPECT_TRUE(wait(*first));
  EXPECT_TRUE(wait(*second));
  other.join();
  EXPECT_NE(first->ran_on, second->ran_on);
}

TEST_F(SchedulerTest, AnswersEveryRequestOnceWhateverHappensAtTheSameTime) {
  constexpr int kThreads = 3, kCalls = 300;
  std::vector<std::shared_ptr<TestCall>> calls;
  Scheduler scheduler({2, 64});
  const auto version = version_of(std::make_unique<ThrowingModel>(7));
  auto config = std::make_shared<ModelConfig>();
  config->batch.rows_max = 4;
  version->config = config;
  version->batch = {true, "rows are independent"};
  for (int i = 0; i < kThreads * kCalls; ++i) {
    calls.push_back(std::make_shared<TestCall>(version, 1 + static_cast<std::size_t>(i % 9)));
    if (i % 3 == 0) calls.back()->own.deadline = Clock::system().now() + std::chrono::milliseconds(i % 50);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < kThreads * kCalls; i += kThreads) {
        scheduler.submit(calls[static_cast<std::size_t>(i)]);
        if (i % 5 != 0 || !calls[static_cast<std::size_t>(i)]->on_leave) continue;
        calls[static_cast<std::size_t>(i)]->abandoned = true;
        calls[static_cast<std::size_t>(i)]->on_leave();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  scheduler.stop();
  // A second answer would have thrown: a promise is kept once.
  for (const auto& call : calls) {
    const auto result = wait(*call);
    if (!result) continue;
    EXPECT_EQ(result->outputs.at(0).tensor.shape, call->own.inputs[0].tensor.shape);
  }
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
