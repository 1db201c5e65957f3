// SPDX-License-Identifier: Apache-2.0
// Order, limits, company and refusals by hand-driven time. Histories at random are in dispatcher_simulation_test.cc.
#include "serving/scheduling/dispatcher.h"

#include <gtest/gtest.h>

#include "serving/scheduling/simulated_model_test_support.h"

namespace protean {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::SimulatedCall;

using Numbers = std::vector<std::int64_t>;

struct Asked {
  std::int64_t rows = 1;
  std::uint32_t priority = 0;
  Duration deadline{};  // from now; zero: none
};

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() { use({1, 64}); }

  void use(DispatcherOptions options) { dispatcher_ = std::make_unique<Dispatcher>(options); }

  VersionHandle version(const ModelConfig& config = alone()) {
    return testing::make_simulated_version("m", std::make_shared<const ModelConfig>(config));
  }
  /// Every request runs by itself.
  static ModelConfig alone() {
    ModelConfig config;
    config.batch.mode = BatchConfig::Mode::kOff;
    return config;
  }
  static ModelConfig together(std::uint64_t rows_max = 8) {
    ModelConfig config;
    config.batch.mode = BatchConfig::Mode::kOn;
    config.batch.rows_max = rows_max;
    return config;
  }

  std::shared_ptr<SimulatedCall> make(const VersionHandle& to, Asked asked) {
    auto call = std::make_shared<SimulatedCall>(to, ++number_, asked.rows);
    call->own.priority = asked.priority;
    if (asked.deadline > Duration::zero()) call->own.deadline = now_ + asked.deadline;
    Dispatcher::stamp(*call, now_);
    return call;
  }
  Status offer(const std::shared_ptr<SimulatedCall>& call) { return dispatcher_->enqueue(call, now_, after_); }
  std::shared_ptr<SimulatedCall> queue(const VersionHandle& to, Asked asked = {}) {
    auto call = make(to, asked);
    EXPECT_TRUE(offer(call));
    return call;
  }
  Batch* take() { return dispatcher_->take(now_, after_); }
  /// Numbers of the requests of the next run; empty: none.
  Numbers take_numbers() {
    batch_ = take();
    return batch_ == nullptr ? Numbers() : numbers(*batch_);
  }
  static Numbers numbers(const Batch& batch) {
    Numbers result;
    for (const auto& piece : batch.pieces) result.push_back(static_cast<SimulatedCall&>(*piece.call).number);
    return result;
  }
  void finish(Batch& batch, Duration time = milliseconds(1)) {
    run_batch(batch, Clock::system());
    now_ += time;
    batch.run_time = time;
    Dispatcher::measured(batch);
    dispatcher_->finished(batch, now_, after_);
  }
  void finish() { finish(*batch_); }
  /// What the version's runs take from now on.
  static void teach(const VersionHandle& version, Duration run, Duration row) {
    for (int i = 0; i < 100; ++i) {
      for (const std::uint64_t rows : {1, 8, 64}) version->cost.observe(run + row * rows, 16, rows);
    }
  }

  TimePoint now_{seconds(10)};
  Aftermath after_;
  std::unique_ptr<Dispatcher> dispatcher_;
  Batch* batch_ = nullptr;
  std::int64_t number_ = 0;
};

TEST_F(DispatcherTest, ServesByPriorityThenDeadlineThenArrival) {
  const auto m = version();
  queue(m);
  queue(m, {1, 9, seconds(1)});
  queue(m, {1, 0, seconds(3)});
  queue(m, {1, 0, seconds(2)});
  queue(m, {1, 1, {}});
  queue(m);
  Numbers order;
  for (int i = 0; i < 6; ++i) {
    order.push_back(take_numbers().at(0));
    finish();
  }
  EXPECT_EQ(order, (Numbers{5, 4, 3, 1, 6, 2}));
}

TEST_F(DispatcherTest, LetsTheOldestGoFirstEveryFourthRunOnceItHasWaitedASecond) {
  const auto m = version();
  queue(m, {1, 9, {}});
  for (int i = 0; i < 10; ++i) queue(m, {1, 1, {}});
  now_ += seconds(1);
  Numbers order;
  for (int i = 0; i < 5; ++i) {
    order.push_back(take_numbers().at(0));
    finish(*batch_, microseconds(1));
  }
  EXPECT_EQ(order, (Numbers{2, 3, 4, 1, 5}));
}

TEST_F(DispatcherTest, GathersWhatWaitsUpToTheLargestBatch) {
  const auto m = version(together(4));
  for (int i = 0; i < 6; ++i) queue(m);
  EXPECT_EQ(take_numbers(), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(take(), nullptr) << "there is one runner";
  finish();
  EXPECT_EQ(take_numbers(), (Numbers{5, 6}));
}

TEST_F(DispatcherTest, CutsABatchToTheLargestPreferredSizeThatIsFilled) {
  ModelConfig config = together(16);
  config.batch.rows_preferred = {4, 8};
  const auto m = version(config);
  for (int i = 0; i < 7; ++i) queue(m);
  EXPECT_EQ(take_numbers(), (Numbers{1, 2, 3, 4}));
  finish();
  EXPECT_EQ(take_numbers(), (Numbers{5, 6, 7}));
  EXPECT_EQ(batch_->rows_run, 3U);
}

TEST_F(DispatcherTest, FillsABatchUpToAPreferredSizeOnRequest) {
  ModelConfig config = together(16);
  config.batch.rows_preferred = {4, 8};
  config.batch.pad_rows = true;
  const auto m = version(config);
  const auto call = queue(m, {3, 0, {}});
  ASSERT_EQ(take_numbers(), (Numbers{1}));
  EXPECT_EQ(batch_->rows_run, 4U);
  run_batch(*batch_, Clock::system());
  EXPECT_EQ(static_cast<testing::SimulatedModel&>(*m->model).rows_seen_max, 4U);
  ASSERT_TRUE(batch_->results.at(0));
  EXPECT_TRUE(call->holds_own_rows(*batch_->results[0]));
}

TEST_F(DispatcherTest, WaitsForCompanyNoLongerThanTheDelay) {
  ModelConfig config = together(4);
  config.batch.delay = milliseconds(2);
  const auto m = version(config);
  queue(m);
  EXPECT_EQ(take(), nullptr);
  EXPECT_EQ(dispatcher_->next_wake(), now_ + milliseconds(2));
  now_ += milliseconds(1);
  queue(m);
  EXPECT_FALSE(dispatcher_->ready(now_));
  now_ += milliseconds(1);
  EXPECT_EQ(take_numbers(), (Numbers{1, 2}));
}

TEST_F(DispatcherTest, DoesNotWaitForCompanyThatDoesNotFit) {
  ModelConfig config = together(4);
  config.batch.delay = milliseconds(2);
  const auto m = version(config);
  for (int i = 0; i < 4; ++i) queue(m);
  EXPECT_EQ(take_numbers(), (Numbers{1, 2, 3, 4}));
}

TEST_F(DispatcherTest, WaitsForCompanyNoLongerThanADeadlineAllows) {
  ModelConfig config = together(4);
  config.batch.delay = milliseconds(20);
  const auto m = version(config);
  queue(m, {1, 0, milliseconds(5)});
  EXPECT_LE(dispatcher_->next_wake(), now_ + milliseconds(5));
  now_ += milliseconds(4);
  teach(m, milliseconds(1), Duration::zero());
  EXPECT_EQ(take_numbers(), (Numbers{1}));
}

TEST_F(DispatcherTest, SplitsALargeRequestAndJoinsItsAnswerInOrder) {
  use({2, 64});
  const auto m = version(together(4));
  const auto call = queue(m, {10, 0, {}});
  Batch* first = take();
  Batch* second = take();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  finish(*second);
  Batch* third = take();
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(third->rows, 2U);
  finish(*third);
  EXPECT_TRUE(after_.answers.empty());
  finish(*first);
  ASSERT_EQ(after_.answers.size(), 1U);
  const auto joined = join_parts(after_.answers[0].parts, *m);
  ASSERT_TRUE(joined);
  EXPECT_TRUE(call->holds_own_rows(*joined));
}

TEST_F(DispatcherTest, FailsASplitRequestWithTheErrorOfOnePieceAndRunsNoMoreOfIt) {
  const auto m = version(together(4));
  queue(m, {12, 0, {}});
  static_cast<testing::SimulatedModel&>(*m->model).next = testing::SimulatedModel::Mishap::kThrows;
  take_numbers();
  finish();
  ASSERT_EQ(after_.answers.size(), 1U);
  ASSERT_TRUE(after_.answers[0].error);
  EXPECT_EQ(after_.answers[0].error->message, "the model threw: out of luck (model m, version 1)");
  EXPECT_TRUE(dispatcher_->empty());
}

TEST_F(DispatcherTest, RunsALargeRequestAloneWhenItMayNotBeSplit) {
  ModelConfig config = together(4);
  config.batch.split = false;
  const auto m = version(config);
  queue(m, {10, 0, {}});
  queue(m);
  EXPECT_EQ(take_numbers(), (Numbers{1}));
  EXPECT_EQ(batch_->rows, 10U);
}

TEST_F(DispatcherTest, NeverSharesARunOfAModelWithoutBatchDimension) {
  const auto m = version(together());
  m->batch = {false, "output 'y' has no batch dimension"};
  queue(m);
  queue(m);
  EXPECT_EQ(take_numbers(), (Numbers{1}));
}

TEST_F(DispatcherTest, SharesNoRunWhereMeasuringSaysThatItDoesNotPay) {
  ModelConfig config;
  const auto dear_rows = version(config);
  teach(dear_rows, microseconds(1), milliseconds(1));
  queue(dear_rows);
  queue(dear_rows);
  EXPECT_EQ(take_numbers(), (Numbers{1}));
  finish();
  EXPECT_EQ(take_numbers(), (Numbers{2}));
  finish();
  const auto dear_runs = version(config);
  teach(dear_runs, milliseconds(1), microseconds(1));
  queue(dear_runs);
  queue(dear_runs);
  EXPECT_EQ(take_numbers(), (Numbers{3, 4}));
}

TEST_F(DispatcherTest, RunsNoMoreOfAVersionThanItsInstances) {
  use({4, 64});
  ModelConfig config = alone();
  config.instances = 2;
  const auto m = version(config);
  for (int i = 0; i < 3; ++i) queue(m);
  Batch* first = take();
  ASSERT_NE(take(), nullptr);
  EXPECT_EQ(take(), nullptr);
  finish(*first);
  EXPECT_NE(take(), nullptr);
}

TEST_F(DispatcherTest, PreservesOrderOnRequestWhateverPrioritiesSay) {
  use({4, 64});
  ModelConfig config = together(2);
  config.batch.preserve_order = true;
  const auto m = version(config);
  queue(m, {1, 9, {}});
  queue(m, {2, 1, milliseconds(900)});
  queue(m, {1, 1, {}});
  EXPECT_EQ(take_numbers(), (Numbers{1})) << "the second does not fit, and the third may not pass it";
  EXPECT_EQ(take(), nullptr) << "one run at a time";
  finish();
  EXPECT_EQ(take_numbers(), (Numbers{2}));
}

TEST_F(DispatcherTest, SharesRunnersByWeight) {
  ModelConfig heavy = alone();
  heavy.weight = 3;
  const auto a = version(heavy);
  const auto b = version(alone());
  for (int i = 0; i < 40; ++i) queue(a), queue(b);
  std::map<LoadedVersion*, int> runs;
  for (int i = 0; i < 40; ++i) {
    Batch* batch = take();
    ++runs[batch->version];
    finish(*batch);
  }
  EXPECT_NEAR(runs[a.get()], 30, 2);
  EXPECT_NEAR(runs[b.get()], 10, 2);
}

TEST_F(DispatcherTest, SharesRunTimeAndNotRunsAndKeepsTheBound) {
  const auto quick = version();
  const auto slow = version();
  std::map<LoadedVersion*, Duration> used;
  for (int i = 0; i < 400; ++i) {
    while (quick->lane.queue.requests() < 2) queue(quick);
    while (slow->lane.queue.requests() < 2) queue(slow);
    Batch* batch = take();
    const Duration time = batch->version == quick.get() ? milliseconds(1) : milliseconds(7);
    LoadedVersion* ran = batch->version;
    finish(*batch, time);
    used[ran] += time;
    const Duration apart = used[quick.get()] - used[slow.get()];
    EXPECT_LE(std::max(apart, -apart), 2 * (milliseconds(1) + milliseconds(7)));
  }
}

TEST_F(DispatcherTest, GivesNoCreditForIdleTime) {
  const auto busy = version();
  const auto idle = version();
  for (int i = 0; i < 60; ++i) queue(busy);
  queue(idle);
  for (int i = 0; i < 40; ++i) take_numbers(), finish();
  for (int i = 0; i < 20; ++i) queue(idle);
  std::map<LoadedVersion*, int> runs;
  for (int i = 0; i < 10; ++i) {
    Batch* batch = take();
    ++runs[batch->version];
    finish(*batch);
  }
  EXPECT_NEAR(runs[busy.get()], 5, 1);
}

TEST_F(DispatcherTest, AnswersWhatExpiresWhileItWaitsAndNeverRunsIt) {
  const auto m = version();
  queue(m, {1, 1, {}});
  take_numbers();
  queue(m, {1, 0, milliseconds(5)});
  EXPECT_EQ(dispatcher_->next_wake(), now_ + milliseconds(5));
  now_ += milliseconds(5);
  EXPECT_EQ(take(), nullptr);
  finish();
  EXPECT_EQ(take(), nullptr);
  ASSERT_EQ(after_.answers.size(), 1U);
  EXPECT_EQ(after_.answers[0].error->code, Code::kDeadlineExceeded);
}

TEST_F(DispatcherTest, AppliesTheModelsOwnDeadlineToRequestsThatBringNone) {
  ModelConfig config = alone();
  config.deadline = milliseconds(3);
  const auto m = version(config);
  queue(m);
  now_ += milliseconds(3);
  EXPECT_EQ(take(), nullptr);
  EXPECT_EQ(after_.answers.at(0).error->code, Code::kDeadlineExceeded);
}

TEST_F(DispatcherTest, TakesWhoLeavesOutOfTheQueueAtOnce) {
  const auto m = version();
  const auto call = queue(m);
  dispatcher_->cancel(*call, now_, after_);
  ASSERT_EQ(after_.answers.size(), 1U);
  EXPECT_EQ(after_.answers[0].error->code, Code::kCancelled);
  EXPECT_TRUE(dispatcher_->empty());
  dispatcher_->cancel(*call, now_, after_);
  EXPECT_EQ(after_.answers.size(), 1U) << "once only";
}

TEST_F(DispatcherTest, StopsARunWhenAllOfItsRequestsHaveLeft) {
  const auto m = version(together());
  const auto first = queue(m);
  const auto second = queue(m);
  ASSERT_EQ(take_numbers(), (Numbers{1, 2}));
  dispatcher_->cancel(*first, now_, after_);
  EXPECT_TRUE(after_.stops.empty());
  dispatcher_->cancel(*second, now_, after_);
  ASSERT_EQ(after_.stops.size(), 1U);
  after_.stops[0].request_stop();
  EXPECT_TRUE(batch_->stop.stop_requested());
}

TEST_F(DispatcherTest, RefusesWhatDoesNotFitIntoTheQueueAndSaysWhenToComeAgain) {
  use({1, 2});
  const auto m = version();
  queue(m);
  queue(m);
  const auto refused = offer(make(m, {}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_GT(refused.error().retry_after, Duration::zero());
  EXPECT_EQ(refused.error().message, "2 requests already wait for model m, version 1; try again later");
}

TEST_F(DispatcherTest, BoundsRowsAndBytesButLetsOneRequestWaitAlone) {
  use({1, 64, 4, 200});
  const auto m = version();
  queue(m, {5, 0, {}});
  EXPECT_EQ(offer(make(m, {1, 0, {}})).error().message, "5 rows already wait for model m, version 1; try again later");
  const auto other = version();
  queue(other, {4, 0, {}});
  const auto third = version();
  EXPECT_EQ(offer(make(third, {4, 0, {}})).error().message,
            "144 bytes of requests already wait for model m, version 1; try again later");
}

TEST_F(DispatcherTest, RefusesADoomedRequestAndAdmitsOneThatCanMakeIt) {
  const auto m = version();
  teach(m, milliseconds(10), Duration::zero());
  queue(m);
  take_numbers();
  for (int i = 0; i < 5; ++i) queue(m, {1, 4, {}});
  const auto doomed = offer(make(m, {1, 0, milliseconds(40)}));
  ASSERT_FALSE(doomed);
  EXPECT_EQ(doomed.error().code, Code::kUnavailable);
  EXPECT_GE(doomed.error().retry_after, milliseconds(20));
  EXPECT_TRUE(offer(make(m, {1, 0, milliseconds(90)})));
  EXPECT_TRUE(offer(make(m, {1, 1, milliseconds(40)}))) << "nothing is ahead of its priority";
}

TEST_F(DispatcherTest, CountsFullRunsAheadWhereRunsAreShared) {
  const auto m = version(together(64));
  teach(m, milliseconds(10), Duration::zero());
  queue(m);
  take_numbers();
  for (int i = 0; i < 40; ++i) queue(m);
  EXPECT_TRUE(offer(make(m, {1, 0, milliseconds(30)})));
}

TEST_F(DispatcherTest, RefusesWhoWouldBreakAnEarlierPromise) {
  const auto m = version();
  teach(m, milliseconds(10), Duration::zero());
  queue(m);
  take_numbers();
  queue(m, {1, 0, milliseconds(28)});
  const auto newcomer = offer(make(m, {1, 0, milliseconds(27)}));
  ASSERT_FALSE(newcomer);
  EXPECT_EQ(newcomer.error().code, Code::kUnavailable);
  EXPECT_NE(newcomer.error().message.find("admitted before"), std::string::npos);
}

TEST_F(DispatcherTest, LetsAProbeThroughWhenEvenARunAloneSeemsTooLong) {
  const auto m = version();
  teach(m, milliseconds(10), Duration::zero());
  EXPECT_TRUE(offer(make(m, {1, 0, milliseconds(5)})));
  ASSERT_EQ(take_numbers(), (Numbers{1}));
  finish(*batch_, milliseconds(1));
  EXPECT_EQ(offer(make(m, {1, 0, milliseconds(5)})).error().code, Code::kDeadlineExceeded);
  now_ += Dispatcher::kProbeEvery;
  EXPECT_TRUE(offer(make(m, {1, 0, milliseconds(5)})));
}

TEST_F(DispatcherTest, RefusesNewRequestsAndServesOldOnesWhileItStops) {
  ModelConfig config = together();
  config.batch.delay = seconds(1);
  const auto m = version(config);
  queue(m);
  dispatcher_->stop();
  EXPECT_EQ(offer(make(m, {})).error().code, Code::kUnavailable);
  EXPECT_EQ(take_numbers(), (Numbers{1})) << "nobody waits for company any more";
}

}  // namespace
}  // namespace protean
