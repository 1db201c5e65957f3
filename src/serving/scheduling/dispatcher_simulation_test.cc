// SPDX-License-Identifier: Apache-2.0
// Seeded random histories of the dispatcher: arrivals, priorities, deadlines, departures of clients, failing models,
// several versions with configurations of their own, runners that are quick and slow. What must hold in each of them
// is in History::check_*. A failure prints its seed:
//   PROTEAN_SIMULATION_SEED=n replays that history alone; PROTEAN_SIMULATION_COUNT=n runs that many.
#include <gtest/gtest.h>

#include <map>

#include "serving/scheduling/dispatcher.h"
#include "serving/scheduling/simulated_world_test_support.h"

namespace protean::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// One version, and what is known about it from outside.
struct SimulatedLane {
  VersionHandle version;
  std::shared_ptr<const ModelConfig> config;
  Duration a{}, b{};  // true cost of a run
  std::uint32_t running = 0;
  std::int64_t last_taken = -1;  // number of the newest request of a lane that preserves order
};

std::shared_ptr<const ModelConfig> random_config(Random& random) {
  auto config = std::make_shared<ModelConfig>();
  config->instances = static_cast<std::uint32_t>(random.below(4));
  config->weight = 1 + static_cast<std::uint32_t>(random.below(4));
  config->queue_max = random.once_in(3) ? 1 + static_cast<std::uint32_t>(random.below(8)) : 0;
  if (random.once_in(3)) config->deadline = random.between(microseconds(500), milliseconds(20));
  BatchConfig& batch = config->batch;
  batch.mode = static_cast<BatchConfig::Mode>(random.below(3));
  batch.rows_max = 1 + random.below(16);
  if (random.once_in(3)) {
    for (std::uint64_t size = 1 + random.below(3); size <= batch.rows_max; size *= 2) {
      batch.rows_preferred.push_back(size);
    }
  }
  batch.pad_rows = random.once_in(3);
  if (random.once_in(3)) batch.delay = random.between(microseconds(1), milliseconds(2));
  batch.split = !random.once_in(4);
  batch.preserve_order = random.once_in(4);
  return config;
}

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), runners_(1 + random_.below(3)) {
    DispatcherOptions options;
    options.runners = runners_;
    options.queue_max = 4 + static_cast<std::uint32_t>(random_.below(32));
    options.rows_max = 16 + random_.below(256);
    options.bytes_max = 512 + random_.below(16384);
    options_ = options;
    dispatcher_ = std::make_unique<Dispatcher>(options);
    const std::size_t lanes = 1 + random_.below(3);
    for (std::size_t i = 0; i < lanes; ++i) {
      SimulatedLane lane;
      lane.config = random_config(random_);
      lane.version = make_simulated_version("m", shared_metrics(), lane.config);
      lane.version->batch.batchable = !random_.once_in(4);
      lane.a = random_.between(microseconds(1), milliseconds(1));
      lane.b = random_.between(microseconds(0), microseconds(200));
      lanes_.push_back(std::move(lane));
    }
  }

  /// Empty when everything held.
  std::string play() {
    const std::size_t arrivals = 8 + random_.below(40);
    TimePoint when = world_.now();
    for (std::size_t i = 0; i < arrivals && problem_.empty(); ++i) {
      when += random_.once_in(3) ? Duration::zero() : random_.between(microseconds(0), microseconds(800));
      world_.at(when, [this] { arrive(); });
    }
    if (random_.once_in(4)) world_.at(when - (when - world_.now()) / 4, [this] { dispatcher_->stop(); });
    while (problem_.empty() && world_.step()) continue;
    if (problem_.empty()) check_end();
    return problem_;
  }

 private:
  void expect(bool condition, const char* what) {
    if (!condition && problem_.empty()) problem_ = what;
  }

  void arrive() {
    SimulatedLane& lane = lanes_[random_.below(lanes_.size())];
    const auto rows = static_cast<std::int64_t>(random_.once_in(5) ? 1 + random_.below(40) : 1 + random_.below(3));
    auto call = std::make_shared<SimulatedCall>(lane.version, static_cast<std::int64_t>(calls_.size()), rows);
    calls_.push_back(call);
    if (random_.once_in(3)) call->own.priority = 1 + static_cast<std::uint32_t>(random_.below(9));
    if (random_.once_in(2)) call->own.deadline = world_.now() + random_.between(microseconds(0), milliseconds(15));
    Dispatcher::stamp(*call, world_.now());
    if (random_.once_in(50)) call->ticket.cancelled = true;  // left before it was queued
    if (auto queued = dispatcher_->enqueue(call, world_.now(), after_); !queued) {
      const Error& error = queued.error();
      expect(error.code == Code::kUnavailable || error.code == Code::kResourceExhausted ||
                 error.code == Code::kDeadlineExceeded || error.code == Code::kCancelled,
             "a refusal has one of four codes");
      expect(error.code != Code::kResourceExhausted || error.retry_after > Duration::zero(),
             "a full queue says when to come again");
      call->done(tl::unexpected(error), {});
    } else if (random_.once_in(8)) {
      world_.after(random_.between(Duration::zero(), milliseconds(3)), [this, call] { leave(*call); });
    } else if (random_.once_in(20)) {
      world_.after(random_.between(Duration::zero(), milliseconds(3)), [call] { call->left = true; });
    }
    check_bounds();
    go_on();
  }

  void leave(SimulatedCall& call) {
    const bool queued = call.ticket.state == CallState::kQueued && !call.ticket.split;
    call.left = true;
    dispatcher_->cancel(call, world_.now(), after_);
    go_on();
    expect(!queued || call.answers == 1, "who leaves while waiting is gone at once");
  }

  /// What the shell's threads would do now: carry out what follows, start what may start, wake up in time.
  void go_on() {
    carry_out();
    while (Batch* batch = dispatcher_->take(world_.now(), after_)) {
      carry_out();
      start(*batch);
    }
    carry_out();
    expect(!dispatcher_->ready(world_.now()), "nothing is ready after take() returned nothing");
    if (dispatcher_->running() >= runners_) return;
    const TimePoint wake = dispatcher_->next_wake();
    if (wake == kNever || wake == wake_) return;
    expect(wake > world_.now(), "the next wake-up lies ahead");
    wake_ = wake;
    world_.at(wake, [this] {
      wake_ = kNever;
      go_on();
    });
  }

  void start(Batch& batch) {
    SimulatedLane& lane = lane_of(batch);
    ++lane.running;
    check_batch(batch, lane);
    auto& model = static_cast<SimulatedModel&>(*batch.version->model);
    if (random_.once_in(20)) {
      model.next = random_.once_in(2) ? SimulatedModel::Mishap::kFails : SimulatedModel::Mishap::kThrows;
    }
    run_batch(batch, world_);
    const auto rows = static_cast<Duration::rep>(batch.rows_run);
    Duration time = lane.a + lane.b * rows;
    if (random_.once_in(10)) time *= 3;
    world_.after(time, [this, &batch, &lane, time] { finish(batch, lane, time); });
  }

  void finish(Batch& batch, SimulatedLane& lane, Duration time) {
    --lane.running;
    batch.run_time = time;
    Dispatcher::measured(batch);
    for (std::size_t i = 0; i < batch.pieces.size(); ++i) {
      auto& call = static_cast<SimulatedCall&>(*batch.pieces[i].call);
      if (call.ticket.split) continue;
      PieceResult& result = batch.results[i];
      expect(!result || call.holds_own_rows(*result), "a request gets its own rows");
      result ? call.done(InferResult{}, {}) : call.done(tl::unexpected(result.error()), {});
    }
    dispatcher_->finished(batch, world_.now(), after_);
    go_on();
  }

  void carry_out() {
    for (Answer& answer : after_.answers) {
      auto& call = static_cast<SimulatedCall&>(*answer.call);
      if (answer.error) {
        call.done(tl::unexpected(*answer.error), {});
        continue;
      }
      auto joined = join_parts(answer.parts, *call.version);
      expect(joined && call.holds_own_rows(*joined), "a split request gets its own rows in order");
      call.done(InferResult{}, {});
    }
    after_.clear();
  }

  SimulatedLane& lane_of(const Batch& batch) {
    for (auto& lane : lanes_) {
      if (lane.version.get() == batch.version) return lane;
    }
    problem_ = "a batch belongs to a lane";
    return lanes_.front();
  }

  void check_batch(const Batch& batch, SimulatedLane& lane) {
    const BatchConfig& config = lane.config->batch;
    const std::uint32_t limit = run_limit(*lane.version);
    expect(limit == 0 || lane.running <= limit, "no more runs of a version than its limit");
    expect(dispatcher_->running() <= runners_, "no more runs than runners");
    expect(batch.pieces.size() == 1 || batch.rows <= config.rows_max, "a shared run has at most rows_max rows");
    expect(batch.pieces.size() == 1 || may_share(*lane.version), "only versions that may share do");
    expect(batch.rows_run >= batch.rows && (config.pad_rows || batch.rows_run == batch.rows),
           "rows are padded on request");
    std::uint64_t rows = 0;
    for (const Piece& piece : batch.pieces) {
      const auto& call = static_cast<const SimulatedCall&>(*piece.call);
      rows += piece.rows;
      expect(call.answers == 0, "what is answered does not run");
      expect(call.ticket.deadline > world_.now(), "what has expired does not run");
      expect(!call.ticket.cancelled && !call.left, "whom nobody waits for does not run");
      expect(call.version == lane.version, "a run is of one version");
      expect(static_cast<std::uint64_t>(call.rows) <= config.rows_max || !config.split || !may_share(*lane.version) ||
                 piece.rows <= config.rows_max,
             "large requests are split");
      if (!config.preserve_order) continue;
      expect(call.number >= lane.last_taken, "order is preserved");
      lane.last_taken = call.number;
    }
    expect(rows == batch.rows, "the pieces make the batch");
  }

  void check_bounds() {
    for (const auto& lane : lanes_) {
      const std::uint32_t own = lane.config->queue_max;
      const WaitingQueue& queue = lane.version->lane.queue;
      expect(queue.requests() <= (own != 0 ? own : options_.queue_max), "queues are bounded by requests");
      expect(queue.rows() <= options_.rows_max || queue.requests() == 1, "queues are bounded by rows");
      expect(queue.requests() == lane.version->waiting, "what waits is counted");
    }
    std::uint64_t most = 0;
    for (const auto& call : calls_) most = std::max(most, call->ticket.checked.input_bytes);
    expect(dispatcher_->bytes_waiting() <= std::max(options_.bytes_max, most), "queues are bounded by bytes");
  }

  void check_end() {
    for (const auto& call : calls_) {
      expect(call->answers == 1, "every request is answered exactly once");
      expect(call->ticket.state != CallState::kQueued, "nothing is left in a queue");
    }
    expect(dispatcher_->empty() && dispatcher_->running() == 0, "nothing is left to do");
    expect(dispatcher_->bytes_waiting() == 0, "no bytes are counted any more");
    calls_.clear();
    for (auto& lane : lanes_) {
      expect(lane.version.use_count() == 1, "every handle is released");
      expect(lane.version->lane.running == 0 && lane.version->lane.runs == 0, "no run is counted any more");
      expect(lane.version->lane.queue.rows() == 0 && lane.version->lane.queue.bytes() == 0, "no rows are left");
    }
  }

  Random random_;
  const std::size_t runners_;
  DispatcherOptions options_;
  SimulatedWorld world_;
  std::vector<SimulatedLane> lanes_;
  std::vector<std::shared_ptr<SimulatedCall>> calls_;
  std::unique_ptr<Dispatcher> dispatcher_;
  Aftermath after_;
  TimePoint wake_ = kNever;
  std::string problem_;
};

/// Two to four versions that always have requests waiting: how far their run times over weight are apart at most, in
/// units of what is promised.
double unfairness(std::uint64_t seed) {
  Random random(seed);
  const std::size_t runners = 1 + random.below(4);
  Dispatcher dispatcher({runners, 1024});
  SimulatedWorld world;
  Aftermath after;
  struct Busy {
    VersionHandle version;
    double weight = 1;
    Duration run{};
    double used = 0, longest = 0;  // nanoseconds over weight
  };
  std::vector<Busy> lanes(2 + random.below(3));
  for (Busy& lane : lanes) {
    auto config = std::make_shared<ModelConfig>();
    config->batch.mode = BatchConfig::Mode::kOff;
    config->weight = 1 + static_cast<std::uint32_t>(random.below(5));
    lane.weight = config->weight;
    lane.version = make_simulated_version("m", shared_metrics(), config);
    lane.run = random.between(microseconds(10), milliseconds(5));
  }
  double worst = 0;
  int runs = 0;
  std::function<void()> go_on = [&] {
    for (Busy& lane : lanes) {
      while (lane.version->lane.queue.requests() <= runners) {
        auto call = std::make_shared<SimulatedCall>(lane.version, 0, 1);
        Dispatcher::stamp(*call, world.now());
        EXPECT_TRUE(dispatcher.enqueue(call, world.now(), after));
      }
    }
    while (Batch* batch = dispatcher.take(world.now(), after)) {
      Busy& lane = *std::find_if(lanes.begin(), lanes.end(),
                                 [&](const Busy& known) { return known.version.get() == batch->version; });
      const Duration time = lane.run * (50 + static_cast<Duration::rep>(random.below(101))) / 100;
      world.after(time, [&, batch, time] {
        run_batch(*batch, world);
        batch->run_time = time;
        Dispatcher::measured(*batch);
        dispatcher.finished(*batch, world.now(), after);
        lane.used += static_cast<double>(time.count()) / lane.weight;
        // Before anything has been measured, a run is charged with a millisecond until it ends.
        lane.longest = std::max({lane.longest, static_cast<double>(time.count()) / lane.weight, 1e6 / lane.weight});
        for (const Busy& other : lanes) {
          const double bound =
              static_cast<double>(runners + 1) * (lane.longest + std::max(other.longest, 1e6 / other.weight));
          worst = std::max(worst, std::abs(lane.used - other.used) / bound);
        }
        if (++runs < 120) go_on();
      });
    }
  };
  go_on();
  while (world.step()) continue;
  return worst;
}

TEST(DispatcherSimulation, SharesRunTimeWithinItsBound) {
  const std::uint64_t count = number_from_environment("PROTEAN_SIMULATION_COUNT", 2000) / 20;
  for (std::uint64_t seed = 1; seed <= count; ++seed) ASSERT_LE(unfairness(seed), 1.0) << "seed " << seed;
}

TEST(DispatcherSimulation, HoldsItsPromisesInEveryHistory) {
  const std::uint64_t seed = number_from_environment("PROTEAN_SIMULATION_SEED", 0);
  if (seed != 0) {
    EXPECT_EQ(History(seed).play(), "") << "PROTEAN_SIMULATION_SEED=" << seed;
    return;
  }
  const std::uint64_t count = number_from_environment("PROTEAN_SIMULATION_COUNT", 2000);
  for (std::uint64_t i = 1; i <= count; ++i) {
    ASSERT_EQ(History(i).play(), "") << "replay with PROTEAN_SIMULATION_SEED=" << i;
  }
}

}  // namespace
}  // namespace protean::testing
