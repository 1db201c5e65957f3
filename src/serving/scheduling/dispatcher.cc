// SPDX-License-Identifier: Apache-2.0
// Taking, finishing and the order between versions. What a request meets on its way in is in dispatcher_enqueue.cc.
#include "serving/scheduling/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "serving/scheduling/admission.h"
#include "serving/scheduling/request_group.h"

namespace protean {
namespace {

constexpr Duration kUnknownRun = std::chrono::milliseconds(1);
constexpr Duration kRunMin = std::chrono::microseconds(1);
constexpr std::size_t kScanMin = 64;
constexpr std::uint64_t kPaddedBytesMax = std::uint64_t{256} << 20;
constexpr double kOverheadStep = 1.0 / 16;
constexpr double kOverheadJumpNs = 50'000;

double weight_of(const LoadedVersion& version) noexcept {
  return static_cast<double>(std::max<std::uint32_t>(config_of(version).weight, 1));
}

bool left(const InferCall& call) noexcept {
  return call.ticket.cancelled.load(std::memory_order_acquire) || call.cancelled();
}

Error make_error(Code code, std::string message) { return fail(code, std::move(message)).value(); }

std::uint64_t row_bytes(const InferCall& call) noexcept {
  return call.ticket.checked.input_bytes / std::max<std::uint64_t>(call.ticket.checked.rows, 1);
}

/// Whether the request is larger than a run may be, and may be taken in pieces.
bool is_split(const InferCall& call) noexcept {
  const BatchConfig& batch = config_of(*call.version).batch;
  return batch.split && call.ticket.group != 0 && call.ticket.checked.rows > batch.rows_max;
}

/// The longest prefix that fills a preferred size: how many calls after the first.
std::size_t cut_to_preferred(const std::vector<InferCall*>& others, std::uint64_t first_rows, std::uint64_t rows,
                             const BatchConfig& config) {
  std::uint64_t target = 0;
  for (const std::uint64_t size : config.rows_preferred) {
    if (size <= rows) target = std::max(target, size);
  }
  if (target == 0) return others.size();
  std::size_t count = others.size();
  while (count > 0 && rows > target) rows -= WaitingQueue::rows_left(*others[--count]);
  return rows < first_rows ? 0 : count;
}

std::uint64_t fill_up(std::uint64_t rows, const BatchConfig& config) {
  if (!config.pad_rows) return rows;
  for (const std::uint64_t size : config.rows_preferred) {
    if (size >= rows && size <= config.rows_max) return size;
  }
  return rows;
}

}  // namespace

Dispatcher::~Dispatcher() {
  // A waiting call holds its version, and the version's lane holds the call.
  std::vector<std::shared_ptr<InferCall>> waiting;
  for (const LanePlace& place : lanes_) {
    WaitingQueue& queue = place.version->lane.queue;
    while (InferCall* call = queue.oldest()) waiting.push_back(queue.remove(*call));
  }
}

void Dispatcher::index(LoadedVersion& version) {
  Lane& lane = version.lane;
  if (lane.id == 0) lane.id = ++last_lane_id_;
  lane.start_tag = std::max(lane.start_tag, virtual_time_);
  const LanePlace place{lane.start_tag, lane.id, &version};
  if (lane.spare_place.empty()) {
    lane.place = lanes_.insert(place).first;
  } else {
    lane.spare_place.value() = place;
    lane.place = lanes_.insert(std::move(lane.spare_place)).position;
  }
  weights_ += std::max<std::uint32_t>(config_of(version).weight, 1);
}

void Dispatcher::unindex(LoadedVersion& version) {
  version.lane.spare_place = lanes_.extract(version.lane.place);
  weights_ -= std::max<std::uint32_t>(config_of(version).weight, 1);
}

void Dispatcher::retag(LoadedVersion& version, double start_tag) {
  Lane& lane = version.lane;
  lane.start_tag = start_tag;
  if (lane.queue.empty()) return;
  auto node = lanes_.extract(lane.place);
  node.value().start_tag = start_tag;
  lane.place = lanes_.insert(std::move(node)).position;
}

Batch& Dispatcher::new_batch(TimePoint now) {
  if (spare_.empty()) spare_.push_back(std::make_unique<Batch>());
  running_.push_back(std::move(spare_.back()));
  spare_.pop_back();
  Batch& batch = *running_.back();
  if (batch.stop.stop_requested()) batch.stop = std::stop_source();
  batch.rows = batch.rows_run = 0;
  batch.started_at = now;
  batch.run_time = {};
  return batch;
}

TimePoint Dispatcher::start_time(const LoadedVersion& version) const noexcept {
  const BatchConfig& config = config_of(version).batch;
  const Lane& lane = version.lane;
  if (config.delay <= Duration::zero() || stopping_ || !may_share(version) || !lane.sharing.shares()) return {};
  const std::uint64_t full = config.rows_preferred.empty() ? config.rows_max : config.rows_preferred.back();
  if (lane.queue.rows() >= full) return {};
  const TimePoint waited = lane.queue.oldest()->ticket.arrived_at + config.delay;
  const TimePoint deadline = lane.queue.earliest_deadline();
  if (deadline == kNever) return waited;
  return std::min(waited, deadline - version.cost.predict_upper(lane.queue.rows()));
}

bool Dispatcher::may_start(const LoadedVersion& version, TimePoint now) const noexcept {
  const std::uint32_t limit = run_limit(version);
  if (limit != 0 && version.lane.running.load() >= limit) return false;
  return start_time(version) <= now;
}

bool Dispatcher::has_runner(const LoadedVersion& version) const noexcept {
  return version.remote_runs != 0 || running_.size() - away_ < options_.runners;
}

bool Dispatcher::ready(TimePoint now) const noexcept {
  return std::any_of(lanes_.begin(), lanes_.end(), [&](const LanePlace& place) {
    return has_runner(*place.version) && may_start(*place.version, now);
  });
}

TimePoint Dispatcher::next_wake() const noexcept {
  TimePoint wake = kNever;
  for (const LanePlace& place : lanes_) {
    wake = std::min(wake, place.version->lane.queue.earliest_deadline());
    if (!has_runner(*place.version)) continue;
    const std::uint32_t limit = run_limit(*place.version);
    if (limit == 0 || place.version->lane.running.load() < limit) wake = std::min(wake, start_time(*place.version));
  }
  return wake;
}

void Dispatcher::remove(InferCall& call, Error error, TimePoint now, Aftermath& after) {
  LoadedVersion& version = *call.version;
  CallTicket& ticket = call.ticket;
  auto held = version.lane.queue.remove(call);
  bytes_ -= ticket.checked.input_bytes;
  if (version.lane.queue.empty()) unindex(version);
  version.waiting.store(static_cast<std::uint32_t>(version.lane.queue.requests()));
  version.metrics->queue_requests->set(static_cast<double>(version.lane.queue.requests()));
  if (error.code == Code::kDeadlineExceeded) version.metrics->expired->add();
  if (error.code == Code::kCancelled) version.metrics->cancelled->add();
  if (ticket.split && ticket.split->open > 0) {  // answered when its last piece has run
    ticket.state = CallState::kRunning;
    if (!ticket.split->error) ticket.split->error = std::move(error);
    return;
  }
  ticket.state = CallState::kAnswered;
  RunTimes times = ticket.split ? ticket.split->times : RunTimes{};
  times.queue = now - ticket.arrived_at;
  after.answers.push_back({std::move(held), std::move(error), {}, times});
}

void Dispatcher::purge(LoadedVersion& version, TimePoint now, Aftermath& after) {
  while (InferCall* call = version.lane.queue.expired(now)) {
    if (call->ticket.rides_on_estimate) Pessimism::note_run(version.lane.pessimism, true);
    remove(*call, make_error(Code::kDeadlineExceeded, "the deadline passed while the request waited"), now, after);
  }
}

InferCall* Dispatcher::leader(LoadedVersion& version, TimePoint now) const noexcept {
  Lane& lane = version.lane;
  InferCall* oldest = lane.queue.oldest();
  if (oldest == nullptr || now - oldest->ticket.arrived_at < kAgedAfter) return lane.queue.first();
  return lane.since_aged + 1 >= kAgedEvery ? oldest : lane.queue.first();
}

void Dispatcher::add(InferCall& call, std::uint64_t rows, Batch& batch) {
  LoadedVersion& version = *call.version;
  CallTicket& ticket = call.ticket;
  const std::uint64_t row_begin = ticket.rows_taken;
  Piece piece{nullptr, row_begin, rows, 0};
  if (row_begin > 0 || rows < ticket.checked.rows) {
    if (!ticket.split) ticket.split = std::make_unique<SplitParts>();
    piece.index = static_cast<std::uint32_t>(ticket.split->parts.size());
    ticket.split->parts.emplace_back();
    if (ticket.split->open++ == 0 && row_begin == 0) ticket.split->times.queue = batch.started_at - ticket.arrived_at;
  }
  if (rows < WaitingQueue::rows_left(call)) {
    piece.call = ticket.place->call;
    version.lane.queue.take_rows(call, rows);
  } else {
    piece.call = version.lane.queue.remove(call);
    bytes_ -= ticket.checked.input_bytes;
    ticket.state = CallState::kRunning;
    if (version.lane.queue.empty()) unindex(version);
  }
  batch.rows += rows;
  batch.pieces.push_back(std::move(piece));
}

void Dispatcher::form(LoadedVersion& version, TimePoint now, Batch& batch, Aftermath& after) {
  Lane& lane = version.lane;
  const BatchConfig& config = config_of(version).batch;
  const auto drop = [&](InferCall& call) {
    remove(call, make_error(Code::kCancelled, "the client left before the model ran"), now, after);
  };
  InferCall* first = leader(version, now);
  while (first != nullptr && left(*first)) {
    drop(*first);
    first = leader(version, now);
  }
  if (first == nullptr) return;
  lane.since_aged = first == lane.queue.oldest() ? 0 : lane.since_aged + 1;
  // What is left of a split request is answered after the others of its run: in order, nobody may join it.
  const bool in_order_alone = config.preserve_order && first->ticket.rows_taken > 0;
  const bool share = lane.sharing.decide(version) && first->ticket.group != 0 && !in_order_alone;
  std::uint64_t rows = WaitingQueue::rows_left(*first);
  if (may_share(version) && is_split(*first)) rows = std::min(rows, config.rows_max);
  const std::uint64_t first_rows = rows;
  std::uint64_t widest = row_bytes(*first);
  chosen_.clear();
  std::size_t scanned = 0;
  for (InferCall* call = lane.queue.first(); share && call != nullptr && rows < config.rows_max;) {
    if (++scanned > kScanMin + 4 * config.rows_max) break;
    InferCall* other = call;
    call = lane.queue.next(*other);
    if (other == first) continue;
    if (left(*other)) {
      drop(*other);
      continue;
    }
    const std::uint64_t more = WaitingQueue::rows_left(*other);
    const std::uint64_t wide = std::max(widest, row_bytes(*other));
    const bool fits = other->ticket.group == first->ticket.group && more <= config.rows_max - rows &&
                      (!config.pad_dims || wide * (rows + more) <= kPaddedBytesMax) &&
                      same_group(other->ticket.checked, first->ticket.checked, *version.signature, config);
    if (!fits && config.preserve_order) break;
    if (!fits) continue;
    widest = wide;
    rows += more;
    chosen_.push_back(other);
  }
  chosen_.resize(cut_to_preferred(chosen_, first_rows, rows, config));
  add(*first, first_rows, batch);
  for (InferCall* call : chosen_) add(*call, WaitingQueue::rows_left(*call), batch);
  batch.rows_run = first->ticket.group != 0 && may_share(version) ? fill_up(batch.rows, config) : batch.rows;
}

Batch* Dispatcher::take(TimePoint now, Aftermath& after) {
  for (auto at = lanes_.begin(); at != lanes_.end();) {
    LoadedVersion& version = *at->version;
    ++at;
    if (!has_runner(version)) continue;
    purge(version, now, after);
    Lane& lane = version.lane;
    if (lane.queue.empty() || !may_start(version, now) || !try_start_run(version)) continue;
    Batch& batch = new_batch(now);
    batch.version = &version;
    form(version, now, batch, after);
    if (batch.pieces.empty()) {
      spare_.push_back(std::move(running_.back()));
      running_.pop_back();
      lane.running.fetch_sub(1);
      continue;
    }
    version.waiting.store(static_cast<std::uint32_t>(lane.queue.requests()));
    version.metrics->queue_requests->set(static_cast<double>(lane.queue.requests()));
    const Duration expected =
        version.cost.known()
            ? version.cost.predict(cost_rows(version, batch.rows_run)) +
                  Duration(static_cast<Duration::rep>(lane.overhead_ns * static_cast<double>(batch.pieces.size())))
            : kUnknownRun;
    batch.predicted = std::max(expected, kRunMin);
    ++lane.runs;
    if (version.remote_runs != 0) ++away_;
    virtual_time_ = std::max(virtual_time_, lane.start_tag);
    retag(version, lane.start_tag + static_cast<double>(batch.predicted.count()) / weight_of(version));
    return &batch;
  }
  return nullptr;
}

void Dispatcher::finish_piece(Piece& piece, PieceResult& result, const Batch& batch, Aftermath& after) {
  InferCall& call = *piece.call;
  CallTicket& ticket = call.ticket;
  if (!ticket.split) {
    ticket.state = CallState::kAnswered;
    return;
  }
  SplitParts& split = *ticket.split;
  --split.open;
  split.times.run += batch.run_time;
  split.times.first = split.times.first || batch.pieces.front().call == piece.call;
  if (batch.rows_run > split.times.rows) {
    split.times.rows = batch.rows_run;
    split.times.filling = batch.rows_run - batch.rows;
  }
  if (result) {
    split.parts[piece.index] = std::move(*result);
  } else if (!split.error) {
    split.error = std::move(result).error();
  }
  LoadedVersion& version = *call.version;
  if (split.error && ticket.state == CallState::kQueued) {  // what is left of it need not run
    version.lane.queue.remove(call);
    bytes_ -= ticket.checked.input_bytes;
    if (version.lane.queue.empty()) unindex(version);
    version.waiting.store(static_cast<std::uint32_t>(version.lane.queue.requests()));
    ticket.state = CallState::kRunning;
  }
  if (split.open > 0 || ticket.state == CallState::kQueued) return;
  ticket.state = CallState::kAnswered;
  after.answers.push_back({piece.call, std::move(split.error), std::move(split.parts), split.times});
}

void Dispatcher::settle(Batch& batch, TimePoint now) {
  LoadedVersion& version = *batch.version;
  Lane& lane = version.lane;
  --lane.runs;
  if (version.remote_runs != 0) --away_;
  lane.running.fetch_sub(1);
  const Duration occupied = now - batch.started_at;
  retag(version, lane.start_tag + static_cast<double>((occupied - batch.predicted).count()) / weight_of(version));
  const auto requests = static_cast<double>(batch.pieces.size());
  const double overhead = std::max(0.0, static_cast<double>((occupied - batch.run_time).count())) / requests;
  const double seen = std::min(overhead, 4 * lane.overhead_ns + kOverheadJumpNs);
  lane.overhead_ns += (seen - lane.overhead_ns) * kOverheadStep;
  const auto rows = static_cast<double>(batch.rows);
  lane.recent_rows += rows > lane.recent_rows ? rows - lane.recent_rows : (rows - lane.recent_rows) / 8;
  bool promised = false, late = false;
  for (const Piece& piece : batch.pieces) {
    const CallTicket& ticket = piece.call->ticket;
    promised = promised || ticket.rides_on_estimate;
    late = late || (ticket.rides_on_estimate && now > ticket.deadline);
  }
  if (promised) Pessimism::note_run(lane.pessimism, late);
  lane.gathering.note_batch(now, batch.pieces.size(), version.cost,
                            config_of(version).batch.mode == BatchConfig::Mode::kOn);
}

void Dispatcher::measured(const Batch& batch) noexcept {
  LoadedVersion& version = *batch.version;
  if (batch.pieces.front().call->job) return;  // no run of the model, or many
  bool worked = false;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < batch.pieces.size(); ++i) {
    worked = worked || batch.results[i].has_value();
    bytes += batch.pieces[i].call->ticket.checked.input_bytes;
  }
  if (worked) {
    version.cost.observe(batch.run_time, bytes, cost_rows(version, batch.rows_run), batch.pieces.size() > 1);
  }
  version.metrics->batch_rows->observe(batch.rows_run);
}

void Dispatcher::finished(Batch& batch, TimePoint now, Aftermath& after) {
  PROTEAN_CHECK(batch.results.size() == batch.pieces.size());
  settle(batch, now);
  for (std::size_t i = 0; i < batch.pieces.size(); ++i) {
    finish_piece(batch.pieces[i], batch.results[i], batch, after);
  }
  for (auto& piece : batch.pieces) after.released.push_back(std::move(piece));
  batch.pieces.clear();
  batch.results.clear();
  const auto at = std::find_if(running_.begin(), running_.end(), [&](const auto& b) { return b.get() == &batch; });
  PROTEAN_CHECK(at != running_.end());
  spare_.push_back(std::move(*at));
  running_.erase(at);
}

void Dispatcher::cancel(InferCall& call, TimePoint now, Aftermath& after) {
  call.ticket.cancelled.store(true, std::memory_order_release);
  if (call.ticket.state == CallState::kQueued) {
    remove(call, make_error(Code::kCancelled, "the client left before the model ran"), now, after);
  }
  if (call.ticket.state != CallState::kRunning) return;
  for (const auto& batch : running_) {
    const auto of_call = [&](const Piece& piece) { return piece.call.get() == &call; };
    const auto given_up = [](const Piece& piece) { return piece.call->ticket.cancelled.load(); };
    if (std::none_of(batch->pieces.begin(), batch->pieces.end(), of_call)) continue;
    if (std::all_of(batch->pieces.begin(), batch->pieces.end(), given_up)) after.stops.push_back(batch->stop);
  }
}

}  // namespace protean
