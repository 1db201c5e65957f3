// SPDX-License-Identifier: Apache-2.0
// Inline execution, which takes no lock, and the executor's threads around the dispatcher.
#include "serving/scheduling/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/thread_priority.h"
#include "serving/scheduling/batch.h"

namespace protean {
namespace {

void answer(InferCall& call, PieceResult result, RunTimes times) {
  if (!result) return call.done(tl::unexpected(std::move(result).error()), times);
  InferResult made = make_result(call, std::move(*result));
  made.times = times;
  call.done(std::move(made), times);
}

void carry_out(Aftermath& after) {
  for (auto& stop : after.stops) stop.request_stop();
  for (Answer& one : after.answers) {
    if (one.error) {
      one.call->done(tl::unexpected(std::move(*one.error)), one.times);
    } else {
      answer(*one.call, join_parts(one.parts, *one.call->version), one.times);
    }
  }
  after.clear();
}

void name_this_thread(std::size_t index) { become_run_thread(fmt::format("protean-run-{}", index % 1000).c_str()); }

}  // namespace

/// The dispatcher under its lock, and who sleeps.
class Scheduler::Core : public std::enable_shared_from_this<Scheduler::Core> {
 public:
  Core(DispatcherOptions options, const Clock& clock)
      : runners_(options.runners), clock_(clock), dispatcher_(options) {}

  [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

  /// Queues a stamped call, or refuses it.
  void enqueue(std::shared_ptr<InferCall> call, TimePoint now) {
    call->on_cancel([core = weak_from_this(), waiting = std::weak_ptr<InferCall>(call)] {
      const auto self = core.lock();
      const auto left = waiting.lock();
      if (!left) return;
      left->ticket.cancelled.store(true, std::memory_order_release);
      if (self) self->cancel(*left);
    });
    Aftermath after;
    Status queued;
    {
      const std::lock_guard lock(mutex_);
      queued = dispatcher_.enqueue(call, now, after);
      wake_if_needed(now);
    }
    if (!queued) call->done(tl::unexpected(std::move(queued).error()), {});
    carry_out(after);
  }

  /// An inline run has ended while others wait for their turn.
  void run_ended() {
    const std::lock_guard lock(mutex_);
    wake_if_needed(clock_.now());
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    dispatcher_.stop();
    stopped_.store(true, std::memory_order_release);
    wake_.notify_all();
  }

  /// Starts the threads that run what need not wait for other processes.
  void start() {
    const std::lock_guard lock(mutex_);
    while (threads_.size() < runners_) add_thread();
  }

  /// Requires stop(). Not on one of the threads.
  void join() {
    // A thread that ends adds none: what it leaves is empty.
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(mutex_);
      threads.swap(threads_);
    }
    for (auto& thread : threads) thread.join();
  }

  void work() {
    Aftermath after;
    std::unique_lock lock(mutex_);
    while (true) {
      const TimePoint now = clock_.now();
      Batch* batch = dispatcher_.take(now, after);
      const bool away = batch != nullptr && batch->version->remote_runs != 0;
      if (away) leave();
      if (batch != nullptr) wake_if_needed(now);
      if (batch != nullptr || !after.answers.empty()) {
        lock.unlock();
        carry_out(after);
        if (batch != nullptr) run(*batch);
        lock.lock();
        if (away) --away_;
        if (batch != nullptr) dispatcher_.finished(*batch, clock_.now(), after);
        if (!after.answers.empty() || !after.released.empty()) {
          lock.unlock();
          carry_out(after);
          lock.lock();
        }
        continue;
      }
      if (dispatcher_.empty() && stopped()) return;
      sleep(lock, now);
    }
  }

 private:
  void add_thread() {
    threads_.emplace_back([core = shared_from_this(), i = threads_.size()] {
      name_this_thread(i);
      core->work();
    });
  }

  /// This thread is about to wait for another process: one takes its place. There are never more than runs can be
  /// under way, and they stay.
  void leave() {
    ++away_;
    if (!stopped() && threads_.size() - std::min(away_, threads_.size()) < runners_) add_thread();
  }

  void run(Batch& batch) {
    run_batch(batch, clock_);
    Dispatcher::measured(batch);
    for (std::size_t i = 0; i < batch.pieces.size(); ++i) {
      InferCall& call = *batch.pieces[i].call;
      if (call.ticket.split) continue;  // answered when its last piece has run
      PieceResult result = std::move(batch.results[i]);
      batch.results[i] = result ? PieceResult(std::vector<Tensor>()) : PieceResult(tl::unexpect, result.error());
      answer(call, std::move(result),
             {batch.started_at - call.ticket.arrived_at, batch.run_time, batch.rows_run, batch.rows_run - batch.rows,
              i == 0});
    }
  }

  void cancel(InferCall& call) {
    Aftermath after;
    {
      const std::lock_guard lock(mutex_);
      dispatcher_.cancel(call, clock_.now(), after);
    }
    carry_out(after);
  }

  /// A sleeping thread is woken when there is a run it may start, or when it sleeps for too long.
  void wake_if_needed(TimePoint now) {
    if (sleeping_ == 0) return;
    if (dispatcher_.ready(now) || dispatcher_.next_wake() < sleep_until_) wake_.notify_one();
  }

  void sleep(std::unique_lock<std::mutex>& lock, TimePoint now) {
    ++sleeping_;
    const TimePoint until = dispatcher_.next_wake();
    sleep_until_ = std::min(sleep_until_, until);
    if (until == kNever) {
      wake_.wait(lock);
    } else {
      wake_.wait_for(lock, until - now);
    }
    --sleeping_;
    sleep_until_ = kNever;  // those that still sleep are asked again when one of them must wake
  }

  const std::size_t runners_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> threads_;  // guarded by mutex_
  std::size_t away_ = 0;              // of them: waiting for other processes; guarded by mutex_
  Dispatcher dispatcher_;             // guarded by mutex_
  std::size_t sleeping_ = 0;          // guarded by mutex_
  TimePoint sleep_until_ = kNever;    // the first of the sleepers' times; guarded by mutex_
  std::atomic<bool> stopped_{false};
};

Scheduler::Scheduler(SchedulerOptions options, const Clock& clock)
    : clock_(clock),
      core_(std::make_shared<Core>(DispatcherOptions{std::max<std::size_t>(options.threads, 1), options.queue_max},
                                   clock)) {
  core_->start();
}

Scheduler::~Scheduler() { stop(); }

void Scheduler::submit(std::shared_ptr<InferCall> call, Inline here) {
  LoadedVersion& version = *call->version;
  auto checked = check_request(*call->request, *version.signature, "");
  if (!checked) {  // said again with the model's name, which only the rare failure pays for
    checked = check_request(*call->request, *version.signature, label_of(version));
    return call->done(tl::unexpected(std::move(checked).error()), {});
  }
  call->ticket.checked = std::move(*checked);
  if (call->job) call->ticket.checked.rows = 1;
  const TimePoint now = clock_.now();
  Dispatcher::stamp(*call, now);
  if (core_->stopped()) return call->done(fail(Code::kUnavailable, "the server is stopping"), {});
  if (now >= call->ticket.deadline) {
    version.metrics->expired->add();
    return call->done(fail(Code::kDeadlineExceeded, "the deadline passed before the model could run"), {});
  }
  if (here == Inline::kAllowed && !call->job && try_inline(version, call->ticket.checked))
    return run_inline(*call, now);
  core_->enqueue(std::move(call), now);
}

bool Scheduler::try_inline(LoadedVersion& version, const CheckedRequest& request) noexcept {
  // A thread that serves sockets must not wait for another process, which may hang.
  if (version.remote_runs != 0) return false;
  if (version.waiting.load() != 0 || !version.cost.runs_inline(request.input_bytes)) return false;
  if (version.lane.gathering.active()) return false;
  const BatchConfig& batch = config_of(version).batch;
  if (may_share(version)) {
    if (batch.delay > Duration::zero()) return false;
    if (request.rows > 1 && version.cost.predict(request.rows) > RunCost::kExecutorAbove) return false;
  }
  return try_start_run(version);
}

void Scheduler::run_inline(InferCall& call, TimePoint started_at) {
  LoadedVersion& version = *call.version;
  PieceResult result = run_alone(version, call, {});
  const TimePoint ended_at = clock_.now();
  const RunTimes times{started_at - call.ticket.arrived_at, ended_at - started_at, call.ticket.checked.rows, 0, true};
  if (result) {
    version.cost.observe(times.run, call.ticket.checked.input_bytes, cost_rows(version, call.ticket.checked.rows));
  }
  version.metrics->batch_rows->observe(call.ticket.checked.rows);
  if (may_share(version)) {
    const BatchConfig& batch = config_of(version).batch;
    version.lane.gathering.note_inline(ended_at, times.run, version.cost, batch.rows_max,
                                       batch.mode == BatchConfig::Mode::kOn);
  }
  version.lane.running.fetch_sub(1);
  if (version.waiting.load() != 0) core_->run_ended();
  answer(call, std::move(result), times);
}

void Scheduler::stop() {
  core_->stop();
  core_->join();
}

}  // namespace protean
