// SPDX-License-Identifier: Apache-2.0
// What a request meets on its way into a queue: its deadline, the bounds, the forecast.
#include <fmt/format.h>

#include <algorithm>

#include "serving/scheduling/admission.h"
#include "serving/scheduling/dispatcher.h"
#include "serving/scheduling/request_group.h"

namespace protean {
namespace {

constexpr Duration kRetryMin = std::chrono::milliseconds(1);
constexpr std::size_t kOthersMax = 16;  // lanes whose work is summed up in a forecast

double ns(Duration duration) noexcept { return static_cast<double>(duration.count()); }
Duration to_duration(double value) noexcept { return Duration(static_cast<Duration::rep>(std::min(value, 9e17))); }
double ms(Duration duration) noexcept { return ns(duration) / 1e6; }

Error refuse(Code code, std::string message, Duration retry_after) {
  Error error = fail(code, std::move(message)).value();
  error.retry_after = std::max(retry_after, kRetryMin);
  return error;
}

/// Rows of this lane's shared runs; 0 when every request runs alone.
std::uint64_t shared_rows(const LoadedVersion& version) noexcept {
  return may_share(version) && version.lane.sharing.shares() ? config_of(version).batch.rows_max : 0;
}

/// Runner time that all waiting requests of a lane take.
double waiting_ns(const LoadedVersion& version) noexcept {
  const WaitingQueue& queue = version.lane.queue;
  if (queue.empty()) return 0;
  const double overhead = version.lane.overhead_ns * static_cast<double>(queue.requests());
  const std::uint64_t rows_max = shared_rows(version);
  if (rows_max == 0) {
    const std::uint64_t mean_rows = std::max<std::uint64_t>(1, queue.rows() / queue.requests());
    return overhead + static_cast<double>(queue.requests()) * ns(version.cost.predict(cost_rows(version, mean_rows)));
  }
  const std::uint64_t full = queue.rows() / rows_max;
  return overhead + static_cast<double>(full) * ns(version.cost.predict(rows_max)) +
         ns(version.cost.predict(std::max<std::uint64_t>(queue.rows() % rows_max, 1)));
}

Duration remaining(const Batch& batch, TimePoint now) noexcept {
  // A run that takes longer than expected is not about to end for that reason.
  return std::max(batch.predicted - (now - batch.started_at), batch.predicted / 10);
}

}  // namespace

std::uint64_t cost_rows(const LoadedVersion& version, std::uint64_t rows) noexcept {
  return version.batch.batchable ? rows : 1;
}

void Dispatcher::stamp(InferCall& call, TimePoint now) noexcept {
  CallTicket& ticket = call.ticket;
  const ModelConfig& config = config_of(*call.version);
  ticket.arrived_at = now;
  ticket.deadline = call.request->deadline;
  if (ticket.deadline == kNever && config.deadline > Duration::zero()) ticket.deadline = now + config.deadline;
  const std::uint32_t asked = call.request->priority != 0 ? call.request->priority : config.priority;
  ticket.level = std::clamp(asked, kPriorityFirst, kPriorityLast) - kPriorityFirst;
}

Duration Dispatcher::runner_free(const LoadedVersion& version, TimePoint now) const noexcept {
  if (has_runner(version) || version.lane.runs > 0) return {};
  Duration least = Duration::max();
  for (const auto& batch : running_) least = std::min(least, remaining(*batch, now));
  return least;
}

double Dispatcher::runners_for(const LoadedVersion& version) const noexcept {
  const auto all = static_cast<double>(options_.runners);
  const std::uint32_t limit = run_limit(version);
  if (version.remote_runs != 0) return static_cast<double>(limit);
  return limit == 0 ? all : std::min(all, static_cast<double>(limit));
}

Forecast Dispatcher::forecast_for(const LoadedVersion& version, WaitingWork ahead, std::uint64_t rows,
                                  TimePoint now) const {
  const Lane& lane = version.lane;
  LaneLoad load;
  load.ahead = ahead;
  load.own_rows = std::max<std::uint64_t>(cost_rows(version, rows), 1);
  if (!version.batch.batchable) load.ahead.rows = load.ahead.requests;
  load.rows_max = shared_rows(version);
  load.overhead_ns = lane.overhead_ns;
  load.recent_rows = lane.recent_rows;
  load.runners = runners_for(version);
  const std::uint32_t limit = run_limit(version);
  const bool starts_now = ahead.requests == 0 && has_runner(version) && (limit == 0 || lane.running.load() < limit);
  if (starts_now) {
    load.recent_rows = 1;
    return forecast(version.cost, load);
  }
  for (const auto& batch : running_) {
    if (batch->version == &version) load.running += remaining(*batch, now);
  }
  load.runner_free = runner_free(version, now);
  // The other versions' requests take either their share or all the time they need, whichever is less.
  const auto weight = static_cast<double>(std::max<std::uint32_t>(config_of(version).weight, 1));
  const double weights = static_cast<double>(weights_) + (lane.queue.empty() ? weight : 0);
  Forecast result = forecast(version.cost, load);
  if (weights > weight) {
    LaneLoad shared = load;
    shared.runners = std::min(load.runners, static_cast<double>(options_.runners) * weight / weights);
    const Forecast by_share = forecast(version.cost, shared);
    double others_ns = 0;
    if (lanes_.size() > kOthersMax) return by_share;
    for (const LanePlace& place : lanes_) others_ns += place.version == &version ? 0 : waiting_ns(*place.version);
    result.wait += to_duration(others_ns / static_cast<double>(options_.runners));
    result.wait = std::min(result.wait, by_share.wait);
  }
  return result;
}

std::optional<Error> Dispatcher::find_doom(const InferCall& call, TimePoint now) {
  LoadedVersion& version = *call.version;
  Lane& lane = version.lane;
  const CallTicket& ticket = call.ticket;
  const WaitingWork ahead = lane.queue.before(ticket, behind_);
  const Duration allowed = ticket.deadline - now;
  const std::uint64_t rows = ticket.checked.rows;
  const Forecast own = forecast_for(version, ahead, rows, now);
  const bool alone = lane.queue.empty() && lane.runs == 0;
  if (alone && own.wait == Duration::zero()) {
    const Duration run = version.cost.predict(cost_rows(version, rows));
    if (run <= allowed) return std::nullopt;
    if (now >= lane.next_probe) {  // an estimate that refuses everything is never put right
      lane.next_probe = now + kProbeEvery;
      return std::nullopt;
    }
    // Not a matter of load: trying again would end the same way.
    return refuse(Code::kDeadlineExceeded,
                  fmt::format("a run takes {:.1f} ms, the deadline is in {:.1f} ms ({})", ms(run), ms(allowed),
                              label_of(version)),
                  Duration::zero());
  }
  const Duration total = to_duration(ns(own.total()) * lane.pessimism);
  if (total > allowed) {
    return refuse(
        Code::kUnavailable,
        fmt::format("{} requests are ahead, the answer would take {:.1f} ms, the deadline is in {:.1f} ms ({})",
                    ahead.requests, ms(total), ms(allowed), label_of(version)),
        total - allowed);
  }
  // An admission is a promise to those of the same priority that have it already.
  WaitingWork before = ahead;
  for (auto at = behind_.rbegin(); at != behind_.rend(); ++at) {
    const InferCall& other = **at;
    const std::uint64_t other_rows = WaitingQueue::rows_left(other);
    const auto late = [&](WaitingWork work) {
      return to_duration(ns(forecast_for(version, work, other_rows, now).total()) * lane.pessimism) >
             other.ticket.deadline - now;
    };
    const bool promised = other.ticket.rides_on_estimate;
    if (promised && late({before.requests + 1, before.rows + rows}) && !late(before)) {
      return refuse(Code::kUnavailable,
                    fmt::format("a request admitted before would miss its deadline ({})", label_of(version)), own.run);
    }
    before.requests += 1;
    before.rows += other_rows;
  }
  return std::nullopt;
}

std::optional<Error> Dispatcher::find_refusal(const InferCall& call, TimePoint now) {
  LoadedVersion& version = *call.version;
  const CallTicket& ticket = call.ticket;
  const WaitingQueue& queue = version.lane.queue;
  const std::uint32_t configured = config_of(version).queue_max;
  const std::uint32_t queue_max = configured != 0 ? configured : options_.queue_max;
  const auto full = [&](std::string_view what) {
    version.metrics->refused_full->add();
    return refuse(Code::kResourceExhausted,
                  fmt::format("{} already wait for {}; try again later", what, label_of(version)),
                  to_duration(waiting_ns(version) / static_cast<double>(options_.runners)));
  };
  if (queue.requests() >= queue_max) return full(fmt::format("{} requests", queue.requests()));
  if (!queue.empty() && ticket.checked.rows > options_.rows_max - std::min(options_.rows_max, queue.rows())) {
    return full(fmt::format("{} rows", queue.rows()));
  }
  if (bytes_ > 0 && ticket.checked.input_bytes > options_.bytes_max - std::min(options_.bytes_max, bytes_)) {
    return full(fmt::format("{} bytes of requests", bytes_));
  }
  if (ticket.deadline == kNever || !version.cost.known()) return std::nullopt;
  auto doom = find_doom(call, now);
  if (doom) version.metrics->refused_deadline->add();
  return doom;
}

Status Dispatcher::enqueue(std::shared_ptr<InferCall> call, TimePoint now, Aftermath& after) {
  InferCall& added = *call;
  LoadedVersion& version = *added.version;
  Lane& lane = version.lane;
  CallTicket& ticket = added.ticket;
  if (stopping_) return fail(Code::kUnavailable, "the server is stopping");
  if (ticket.cancelled.load(std::memory_order_acquire)) {
    version.metrics->cancelled->add();
    return fail(Code::kCancelled, "the client left before the model ran");
  }
  if (now >= ticket.deadline) {
    version.metrics->expired->add();
    return fail(Code::kDeadlineExceeded, "the deadline passed before the model could run");
  }
  purge(version, now, after);
  if (lane.queue.empty()) {
    Pessimism::pass_time(lane.pessimism, lane.pessimism_at, now);
    lane.queue.set_arrival_order(config_of(version).batch.preserve_order);
  } else {
    lane.pessimism_at = now;
  }
  if (auto refusal = find_refusal(added, now)) return tl::unexpected(std::move(*refusal));
  const bool on_its_own = version.signature->takes_parameters && !added.request->parameters.empty();
  const bool shares = may_share(version) && !added.job && !on_its_own;
  ticket.group = shares ? group_of(ticket.checked, *version.signature, config_of(version).batch) : 0;
  ticket.rides_on_estimate = ticket.deadline != kNever && version.cost.known() && !added.job;
  ticket.state = CallState::kQueued;
  const bool was_empty = lane.queue.empty();
  bytes_ += ticket.checked.input_bytes;
  lane.queue.push(std::move(call));
  if (was_empty) index(version);
  version.waiting.store(static_cast<std::uint32_t>(lane.queue.requests()));
  version.metrics->queue_requests->set(static_cast<double>(lane.queue.requests()));
  return {};
}

}  // namespace protean
