// SPDX-License-Identifier: Apache-2.0
// Overload in simulated time: three times as many requests as the runners can serve, with a deadline each. What is
// admitted finishes in time, what is finished in time stays near the peak, and calm returns when the load is gone.
#include <gtest/gtest.h>

#include "serving/scheduling/dispatcher.h"
#include "serving/scheduling/simulated_model_test_support.h"

namespace protean::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Counts {
  int offered = 0;
  int admitted = 0;
  int in_time = 0;
  int late = 0;     // run to the end, after the deadline
  int expired = 0;  // admitted, and never run
  Duration slowest{};
};

/// A model of `run` + `row` a row whose runs vary by a fifth, and one in a hundred takes twice as long.
struct Load {
  Duration run = milliseconds(2);
  Duration row = microseconds(20);
  Duration deadline = milliseconds(100);
  std::size_t runners = 2;
  bool share = true;
  Duration time = seconds(2);
};

class Overload {
 public:
  explicit Overload(const Load& load) : load_(load), dispatcher_({load.runners, 1024}) {
    auto config = std::make_shared<ModelConfig>();
    config->batch.mode = load.share ? BatchConfig::Mode::kAuto : BatchConfig::Mode::kOff;
    config->batch.rows_max = 32;
    version_ = make_simulated_version("m", config);
    for (const std::uint64_t rows : {1, 4, 16, 32}) {  // as warming up does
      version_->cost.observe(load_.run + load_.row * rows, 16, rows);
      version_->cost.observe(load_.run + load_.row * rows, 16, rows);
    }
  }

  /// Requests a second that the runners can serve.
  [[nodiscard]] double capacity() const {
    const double rows = load_.share ? 32 : 1;
    const auto run_ns = static_cast<double>((load_.run + load_.row * static_cast<std::int64_t>(rows)).count());
    return rows * static_cast<double>(load_.runners) * 1e9 / run_ns;
  }

  /// Poisson-like arrivals at `rate` a second for `time`.
  Counts play(double rate, Duration time) {
    counts_ = {};
    const TimePoint end = time_.now() + time;
    arrive(end, Duration(static_cast<Duration::rep>(2e9 / rate)));
    while (time_.now() < end + milliseconds(500) && time_.step()) continue;
    return counts_;
  }

 private:
  void arrive(TimePoint end, Duration gap_max) {
    if (time_.now() >= end) return;
    auto call = std::make_shared<SimulatedCall>(version_, counts_.offered++, 1);
    call->own.deadline = time_.now() + load_.deadline;
    Dispatcher::stamp(*call, time_.now());
    if (dispatcher_.enqueue(call, time_.now(), after_)) ++counts_.admitted;
    go_on();
    time_.after(random_.between(Duration::zero(), gap_max), [this, end, gap_max] { arrive(end, gap_max); });
  }

  void go_on() {
    while (Batch* batch = dispatcher_.take(time_.now(), after_)) {
      const auto rows = static_cast<Duration::rep>(batch->rows_run);
      Duration time = (load_.run + load_.row * rows) * (80 + static_cast<Duration::rep>(random_.below(41))) / 100;
      if (random_.once_in(100)) time *= 2;
      time_.after(time, [this, batch, time] { finish(*batch, time); });
    }
    counts_.expired += static_cast<int>(after_.answers.size());
    after_.clear();
  }

  void finish(Batch& batch, Duration time) {
    run_batch(batch, time_);
    batch.run_time = time;
    for (const Piece& piece : batch.pieces) {
      const CallTicket& ticket = piece.call->ticket;
      ++(time_.now() <= ticket.deadline ? counts_.in_time : counts_.late);
      counts_.slowest = std::max(counts_.slowest, time_.now() - ticket.arrived_at);
    }
    Dispatcher::measured(batch);
    dispatcher_.finished(batch, time_.now(), after_);
    go_on();
  }

  const Load load_;
  Random random_{11};
  SimulatedTime time_;
  VersionHandle version_;
  Dispatcher dispatcher_;
  Aftermath after_;
  Counts counts_;
};

void expect_honest(const Load& load) {
  Overload overload(load);
  const auto peak = overload.play(overload.capacity(), load.time);
  const auto over = overload.play(3 * overload.capacity(), load.time);
  EXPECT_GE(over.in_time, 0.9 * peak.in_time);
  EXPECT_GE(over.in_time, 0.999 * over.admitted);
  const auto settling = overload.play(0.3 * overload.capacity(), seconds(2));
  EXPECT_GE(settling.admitted, 0.99 * settling.offered);
  const auto calm = overload.play(0.3 * overload.capacity(), seconds(2));
  EXPECT_EQ(calm.admitted, calm.offered);
  EXPECT_EQ(calm.in_time, calm.offered);
}

TEST(OverloadSimulation, StaysHonestWhereRunsAreShared) { expect_honest({}); }

TEST(OverloadSimulation, StaysHonestWhereEveryRequestRunsAlone) {
  Load load;
  load.share = false;
  load.deadline = milliseconds(60);
  load.time = seconds(20);
  expect_honest(load);
}

TEST(OverloadSimulation, StaysHonestWithOneRunnerAndATightDeadline) {
  Load load;
  load.runners = 1;
  load.deadline = milliseconds(20);
  expect_honest(load);
}

}  // namespace
}  // namespace protean::testing
