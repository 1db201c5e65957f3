// SPDX-License-Identifier: Apache-2.0
// The half of the simulated core that requests pass through: look-up, the wait for a load, queue, run, answer.
#include <algorithm>
#include <utility>

#include "serving/simulated_core_test_support.h"
#include "serving/versions/look_up.h"

namespace protean::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// How late the control loop may get to an event in this simulation.
constexpr Duration kControlDelayMax = microseconds(300);

}  // namespace

void SimulatedCore::ask() {
  const auto rows = static_cast<std::int64_t>(random_.once_in(5) ? 1 + random_.below(40) : 1 + random_.below(3));
  const auto call = std::make_shared<SimulatedCall>(static_cast<std::int64_t>(calls_.size()), rows);
  calls_.push_back(call);
  if (random_.once_in(3)) call->own.priority = 1 + static_cast<std::uint32_t>(random_.below(9));
  if (random_.once_in(2)) call->own.deadline = time_.now() + random_.between({}, milliseconds(25));
  if (random_.once_in(8)) {
    time_.after(random_.between({}, milliseconds(4)), [this, call] { leave(*call); });
  } else if (random_.once_in(20)) {
    time_.after(random_.between({}, milliseconds(3)), [call] { call->left = true; });  // and nobody says so
  }
  const std::string model = random_.once_in(40) ? "nobody" : any_model().name;
  const std::string version = random_.once_in(4)   ? std::to_string(1 + random_.below(3))
                              : random_.once_in(8) ? "champion"
                                                   : "";
  LookUp asked = look_up(directory_, model, version);
  if (asked.found.handle) {
    note_use(*asked.found.handle, time_.now());
    return submit(call, std::move(asked.found.handle));
  }
  if (asked.found.wakes) return wait_for_load(call, model, version);
  const Error reason = life_->explain(model, version, time_.now());
  expect(reason.code == Code::kNotFound || reason.code == Code::kUnavailable, "what cannot be had is explained");
  answer(call, tl::unexpected(reason));
}

void SimulatedCore::wait_for_load(const CallHandle& call, const std::string& model, const std::string& version) {
  if (stopped_) return answer(call, fail(Code::kUnavailable, "the server is stopping"));
  const TimePoint deadline = call->own.deadline;
  const TimePoint latest = deadline == kNever ? kNever : std::max(deadline, time_.now() + kControlDelayMax);
  post([this, call, model, version, deadline, latest] {
    const auto done = [this, call, latest](Result<VersionHandle> found) { loaded(call, std::move(found), latest); };
    life_->wait_for(model, version, deadline, done, time_.now());
  });
}

void SimulatedCore::loaded(const CallHandle& call, Result<VersionHandle> version, TimePoint latest) {
  expect(time_.now() <= latest, "nobody waits for a load beyond the deadline");
  if (version) return submit(call, *std::move(version));
  answer(call, tl::unexpected(version.error()));
}

void SimulatedCore::submit(const CallHandle& call, VersionHandle version) {
  expect(alive_.contains(version.get()), "a handle leads to a version that is alive");
  call->bind(std::move(version));
  call->turn = ++turns_;
  bytes_most_ = std::max(bytes_most_, call->ticket.checked.input_bytes);
  Dispatcher::stamp(*call, time_.now());
  if (call->left) call->ticket.cancelled = true;
  if (auto queued = dispatcher_->enqueue(call, time_.now(), after_); !queued) {
    const Error& error = queued.error();
    expect(error.code == Code::kUnavailable || error.code == Code::kResourceExhausted ||
               error.code == Code::kDeadlineExceeded || error.code == Code::kCancelled,
           "a refusal has one of four codes");
    expect(error.code != Code::kResourceExhausted || error.retry_after > Duration::zero(),
           "a full queue says when to come again");
    answer(call, tl::unexpected(error));
  }
  check_queues();
  go_on();
}

void SimulatedCore::leave(SimulatedCall& call) {
  call.left = true;
  if (!call.version) return;  // not known to the scheduler yet, or answered
  const bool queued = call.ticket.state == CallState::kQueued && !call.ticket.split;
  dispatcher_->cancel(call, time_.now(), after_);
  go_on();
  expect(!queued || call.answers == 1, "who leaves while waiting is gone at once");
}

/// What the scheduler's threads would do now: carry out what follows, start what may start, wake up in time.
void SimulatedCore::go_on() {
  carry_out();
  while (Batch* batch = dispatcher_->take(time_.now(), after_)) {
    carry_out();
    start_run(*batch);
  }
  carry_out();
  expect(!dispatcher_->ready(time_.now()), "nothing is ready after take() returned nothing");
  if (dispatcher_->running() >= run_options_.runners) return;
  const TimePoint wake = dispatcher_->next_wake();
  if (wake == kNever || wake == wake_) return;
  expect(wake > time_.now(), "the next wake-up lies ahead");
  wake_ = wake;
  time_.at(wake, [this] {
    wake_ = kNever;
    go_on();
  });
}

void SimulatedCore::start_run(Batch& batch) {
  const auto lane = alive_.find(batch.version);
  if (lane == alive_.end()) return expect(false, "a version that runs is alive");
  ++lane->second.running;
  check_batch(batch, lane->second);
  const Source& source = *lane->second.source;
  Duration time = source.run + source.row * static_cast<Duration::rep>(batch.rows_run);
  if (random_.once_in(10)) time *= 3;
  time_.after(time, [this, &batch, time] { finish_run(batch, time); });
}

void SimulatedCore::finish_run(Batch& batch, Duration time) {
  if (!alive_.contains(batch.version)) return expect(false, "a version stays until its last run has ended");
  --alive_.at(batch.version).running;
  if (random_.once_in(20)) {
    static_cast<SimulatedModel&>(*batch.version->model).next =
        random_.once_in(2) ? SimulatedModel::Mishap::kFails : SimulatedModel::Mishap::kThrows;
  }
  run_batch(batch, time_);
  batch.run_time = time;
  Dispatcher::measured(batch);
  for (std::size_t i = 0; i < batch.pieces.size(); ++i) {
    const auto& call = static_cast<const SimulatedCall&>(*batch.pieces[i].call);
    if (call.ticket.split) continue;  // answered when its last piece has run
    const PieceResult& result = batch.results[i];
    expect(!result || call.holds_own_rows(*result), "a request gets its own rows, of the version it asked");
    answer(batch.pieces[i].call, result ? Status() : tl::unexpected(result.error()));
  }
  dispatcher_->finished(batch, time_.now(), after_);
  go_on();
}

void SimulatedCore::carry_out() {
  for (auto& stop : after_.stops) stop.request_stop();
  for (Answer& one : after_.answers) {
    if (one.error) {
      answer(one.call, tl::unexpected(*one.error));
      continue;
    }
    const auto joined = join_parts(one.parts, *one.call->version);
    expect(joined && static_cast<const SimulatedCall&>(*one.call).holds_own_rows(*joined),
           "a split request gets its own rows in order");
    answer(one.call, {});
  }
  after_.clear();
}

void SimulatedCore::answer(const std::shared_ptr<InferCall>& asked, Status status) {
  const auto call = std::static_pointer_cast<SimulatedCall>(asked);
  expect(call->answers == 0, "a request is answered once");
  if (status) {
    ++answered_well_;
    Alive& lane = alive_.at(call->version.get());
    expect(!call->version->config->batch.preserve_order || call->turn > lane.last_answered, "answers leave in order");
    lane.last_answered = call->turn;
    call->done(InferResult{}, {});
  } else {
    call->done(tl::unexpected(status.error()), {});
  }
  if (!call->version) return;
  // Whoever sends the answer holds the version until it is sent.
  const Duration held = random_.once_in(12) ? milliseconds(50) : milliseconds(2);
  time_.after(random_.between({}, held), [this, call] {
    expect(alive_.contains(call->version.get()), "a version lives as long as anybody holds it");
    call->version.reset();
  });
}

void SimulatedCore::check_batch(const Batch& batch, Alive& lane) {
  const LoadedVersion& version = *batch.version;
  const BatchConfig& config = version.config->batch;
  const std::uint32_t limit = run_limit(version);
  expect(limit == 0 || lane.running <= limit, "no more runs of a version than its limit");
  expect(dispatcher_->running() <= run_options_.runners, "no more runs than runners");
  expect(batch.pieces.size() == 1 || batch.rows <= config.rows_max, "a shared run has at most rows_max rows");
  expect(batch.pieces.size() == 1 || may_share(version), "only versions that may share do");
  expect(batch.rows_run >= batch.rows && (config.pad_rows || batch.rows_run == batch.rows),
         "rows are padded on request");
  std::uint64_t rows = 0;
  for (const Piece& piece : batch.pieces) {
    const auto& call = static_cast<const SimulatedCall&>(*piece.call);
    rows += piece.rows;
    expect(call.answers == 0, "what is answered does not run");
    expect(call.ticket.deadline > time_.now(), "what has expired does not run");
    expect(!call.ticket.cancelled && !call.left, "whom nobody waits for does not run");
    expect(call.version.get() == batch.version, "a run is of one version");
    expect(static_cast<std::uint64_t>(call.rows) <= config.rows_max || !config.split || !may_share(version) ||
               piece.rows <= config.rows_max,
           "large requests are split");
    if (!config.preserve_order) continue;
    expect(call.turn >= lane.last_taken, "order is preserved");
    lane.last_taken = call.turn;
  }
  expect(rows == batch.rows, "the pieces make the batch");
}

void SimulatedCore::check_queues() {
  for (const auto& [version, lane] : alive_) {
    const std::uint32_t own = version->config->queue_max;
    const WaitingQueue& queue = version->lane.queue;
    expect(queue.requests() <= (own != 0 ? own : run_options_.queue_max), "queues are bounded by requests");
    expect(queue.rows() <= run_options_.rows_max || queue.requests() == 1, "queues are bounded by rows");
    expect(queue.requests() == version->waiting, "what waits is counted");
  }
  expect(dispatcher_->bytes_waiting() <= std::max(run_options_.bytes_max, bytes_most_), "queues are bounded by bytes");
}

void SimulatedCore::check_end() {
  for (const auto& call : calls_) expect(call->answers == 1, "every request is answered");
  expect(dispatcher_->empty() && dispatcher_->running() == 0, "nothing is left to run");
  expect(dispatcher_->bytes_waiting() == 0, "no bytes are counted any more");
  expect(life_->waiting() == 0, "nobody waits for a load any more");
  expect(commands_open_ == 0, "every command is answered");
  for (const auto& [version, lane] : alive_) {
    expect(version->lane.runs == 0 && version->lane.running == 0, "no run is counted any more");
    expect(version->lane.queue.rows() == 0 && version->lane.queue.bytes() == 0, "no rows are left");
  }
  if (stopped_) return;
  expect(life_->quiet() && loading_ == 0, "nothing is left to load");
  expect(alive_bytes_ == life_->memory_used(), "memory comes back when versions go");
  std::size_t listed = 0;
  for (const Source& source : sources_) listed += source.served.size();
  expect(alive_.size() == listed, "only versions that requests can have stay in memory");
}

}  // namespace protean::testing
