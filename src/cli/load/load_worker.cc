// SPDX-License-Identifier: Apache-2.0
// The loops themselves. Everything happens on one thread, so nothing here is locked.
#include "cli/load/load_worker.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace protean {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(5);
constexpr Duration kReconnectWait = std::chrono::milliseconds(50);
/// Arrivals handled before the sockets get their turn.
constexpr int kArrivalsPerTurn = 256;

TimePoint now() noexcept { return Clock::system().now(); }

Duration thread_cpu() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

ArrivalPlan arrival_plan(const LoadPlan& plan, WorkerShare share) noexcept {
  return {plan.arrivals, plan.rate, share.index, share.count, plan.seed};
}

}  // namespace

LoadWorker::LoadWorker(const LoadPlan& plan, WorkerShare share, std::stop_token stop)
    : plan_(plan),
      share_(share),
      stop_(std::move(stop)),
      arrivals_(arrival_plan(plan, share)),
      next_request_(share.index) {
  for (std::size_t i = share.index; i < plan.connections; i += share.count) lanes_.push_back(std::make_unique<Lane>());
}

LoadWorker::~LoadWorker() = default;

LoadResult LoadWorker::run(TimePoint begin) {
  const Duration cpu_before = thread_cpu();
  begin_ = begin;
  from_ = begin + plan_.warm_up;
  until_ = from_ + plan_.duration;
  for (auto& lane : lanes_) mend(*lane, now());
  if (open_loop()) {
    next_arrival_ = begin + arrivals_.next();
    loop_.run_at(next_arrival_, [this] { arrive(); });
  }
  loop_.run_at(begin, [this] { tick(); });
  loop_.run_until(until_ + plan_.timeout);
  ended_ = true;
  const TimePoint stopped = now();
  for (auto& lane : lanes_) {
    if (lane->connection) lane->connection->close();
  }
  loop_.run_until(now() + std::chrono::milliseconds(1));
  for (const TimePoint intended : backlog_) result_.dropped += measured(intended) && !stop_.stop_requested() ? 1 : 0;
  result_.measured = std::clamp<Duration>(std::min(stopped, until_) - from_, Duration::zero(), plan_.duration);
  result_.generator_cpu = thread_cpu() - cpu_before;
  return std::move(result_);
}

void LoadWorker::tick() {
  const TimePoint at = now();
  const bool stopping = stop_.stop_requested();
  // What is in flight at the end of the time may still be answered; a person who interrupts does not want to wait.
  if (stopping || (at >= until_ && in_flight_ == 0 && backlog_.empty())) return loop_.stop();
  for (auto& lane : lanes_) {
    if (lane->connection) lane->connection->expire(at);
    mend(*lane, at);
    feed(*lane);
  }
  loop_.run_at(at + kTick, [this] { tick(); });
}

void LoadWorker::mend(Lane& lane, TimePoint at) {
  if (ended_ || lane.connecting || at < lane.retry_at || (lane.connection && lane.connection->usable())) return;
  if (at >= until_ && backlog_.empty()) return;
  if (std::exchange(lane.was_open, false)) ++result_.reconnects;
  lane.connection = plan_.http2 ? make_http2_client(loop_, plan_.streams) : make_http1_client(loop_);
  lane.connecting = true;
  lane.connection->connect(plan_.target, at + plan_.timeout,
                           [this, &lane](const Status& status) { on_connected(lane, status); });
}

void LoadWorker::on_connected(Lane& lane, const Status& status) {
  lane.connecting = false;
  if (status) {
    lane.was_open = true;
    return feed(lane);
  }
  lane.retry_at = now() + kReconnectWait;
  if (!ended_) count_failure(now(), "connection", status.error().message);
}

void LoadWorker::feed(Lane& lane) {
  while (!ended_ && lane.connection && lane.connection->room() > 0) {
    const TimePoint at = now();
    if (!open_loop()) {
      if (at < begin_ || at >= until_) return;
      start(lane, at);
      continue;
    }
    if (backlog_.empty()) return;
    const TimePoint intended = backlog_.front();
    backlog_.pop_front();
    if (at - intended >= plan_.timeout) {
      count_failure(intended, "timeout", "no connection was free in time");
    } else {
      start(lane, intended);
    }
  }
}

void LoadWorker::start(Lane& lane, TimePoint intended) {
  const LoadRequest& request = plan_.requests[next_request_ % plan_.requests.size()];
  next_request_ += share_.count;
  ++in_flight_;
  if (measured(intended)) result_.bytes_sent += request.request->body.size();
  const auto connection = lane.connection;  // mend() may replace it while it is sending
  connection->send(request.request, {intended + plan_.timeout, 0},
                   [this, &lane, &request, intended](const ClientReply& reply) {
                     --in_flight_;
                     finish(request, intended, reply);
                     if (ended_) return;
                     if (!lane.connection->usable()) mend(lane, now());
                     feed(lane);
                   });
}

void LoadWorker::finish(const LoadRequest& request, TimePoint intended, const ClientReply& reply) {
  const TimePoint at = now();
  const std::string label = failure_label(reply, plan_.http2);
  if (!label.empty()) {
    if (ended_ && stop_.stop_requested()) return;  // cut off by the user, not by the server
    return count_failure(intended, ended_ ? "timeout" : label, failure_text(reply, plan_.http2));
  }
  if (measured(at)) {
    ++result_.finished;
    result_.finished_rows += request.rows;
  }
  if (!measured(intended)) return;
  ++result_.ok;
  result_.bytes_received += reply.body_bytes;
  result_.latency.record(at - intended);
  if (plan_.deadline == Duration::zero() || at - intended <= plan_.deadline) ++result_.in_time;
}

void LoadWorker::count_failure(TimePoint intended, const std::string& label, const std::string& text) {
  if (!measured(intended)) return;
  ++result_.failed;
  result_.failure_latency.record(Clock::system().now() - intended);
  ++result_.failures[label];
  if (result_.first_failure.empty()) result_.first_failure = printable(text, 1000);
}

LoadWorker::Lane* LoadWorker::free_lane() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[next_lane_++ % lanes_.size()];
    if (lane.connection && lane.connection->room() > 0) return &lane;
  }
  return nullptr;
}

void LoadWorker::arrive() {
  const TimePoint at = now();
  for (int i = 0; i < kArrivalsPerTurn && next_arrival_ <= at && next_arrival_ < until_; ++i) {
    Lane* lane = backlog_.empty() ? free_lane() : nullptr;
    if (lane != nullptr) {
      start(*lane, next_arrival_);
    } else if (backlog_.size() < std::max<std::size_t>(1, plan_.backlog_max / share_.count)) {
      backlog_.push_back(next_arrival_);
    } else if (measured(next_arrival_)) {
      ++result_.dropped;
    }
    next_arrival_ = begin_ + arrivals_.next();
  }
  if (next_arrival_ < until_ && !ended_) loop_.run_at(next_arrival_, [this] { arrive(); });
}

}  // namespace protean
