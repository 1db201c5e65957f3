// SPDX-License-Identifier: Apache-2.0
// One round after the other: every socket that is ready gets a turn, then whoever asked for another one, then the
// output of them all leaves, then closed connections go. Time-outs that may be late by a tick are looked for in one
// sweep over the connections; those that may not sit in the timer queue behind one timer.
#include "transport/io_loop.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "transport/connection.h"
#include "transport/transport_metrics.h"

namespace protean {
namespace {

/// Small enough to stay in a core's own cache until its bytes have been looked at and copied.
constexpr std::size_t kScratchBytes = std::size_t{64} << 10;
constexpr std::chrono::milliseconds kTick{250};
/// How long output may wait for the turns of other connections. A client that is woken by each of its answers goes
/// back to sleep in between, and waking it is the dearest part of sending; answers close together find it awake.
constexpr std::chrono::microseconds kOutputDelayMax{250};

}  // namespace

thread_local const IoLoop* IoLoop::current_ = nullptr;

IoLoop::IoLoop(const TransportContext& context, ConnectionCount& count, std::string name)
    : context_(context),
      count_(count),
      name_(std::move(name)),
      mailbox_(std::make_shared<Mailbox>([this] { poller_.wake(); })),
      scratch_(kScratchBytes) {}

IoLoop::~IoLoop() { stop(); }

void IoLoop::start() {
  PROTEAN_CHECK(!thread_.joinable());
  thread_ = std::thread([this] { run(); });
}

void IoLoop::run() {
  current_ = this;
  pthread_setname_np(pthread_self(), name_.c_str());
  while (!closing_ || !connections_.empty()) run_round();
  current_ = nullptr;
}

void IoLoop::run_round() {
  const Duration pause = pace_.pause(*context_.clock);
  if (pause > Duration::zero()) poller_.look_away(pause);
  const auto ready = poller_.wait(dirty_.empty() && turns_.empty() && closed_.empty());
  run_turns(ready.sockets);
  if (ready.woken) run_letters();
  if (ready.alarm) run_timers();
  if (ready.tick) tick();
  std::swap(round_, turns_);
  for (Connection* connection : round_) connection->take_turn();
  round_.clear();
  flush_dirty();
  if (!closed_.empty()) bury_closed();
}

void IoLoop::run_turns(std::span<const epoll_event> sockets) {
  TimePoint started = sockets.size() > 1 ? now() : TimePoint{};
  for (const auto& event : sockets) {
    static_cast<Connection*>(event.data.ptr)->on_ready(event.events);
    if (sockets.size() == 1) return;
    const TimePoint now = this->now();
    if (now - started < kOutputDelayMax) continue;
    flush_dirty();
    started = now;
  }
}

void IoLoop::flush_dirty() {
  std::swap(round_, dirty_);
  for (Connection* connection : round_) connection->end_turn();
  round_.clear();
}

void IoLoop::adopt(AcceptedSocket socket) {
  load_.fetch_add(1, std::memory_order_relaxed);
  mailbox_->post({nullptr, [this, socket = std::move(socket)]() mutable { add(std::move(socket)); }});
}

void IoLoop::add(AcceptedSocket socket) {
  auto connection = std::make_shared<Connection>(*this, std::move(socket), connections_.size());
  context_.metrics->connections->add(1);
  connections_.push_back(connection);
  connection->start();
  if (draining_) connection->drain();
  if (closing_) connection->close();
  if (!ticking_) arm_tick();
}

void IoLoop::drain() {
  mailbox_->post({nullptr, [this] {
                    draining_ = true;
                    for (std::size_t i = connections_.size(); i-- > 0;) connections_[i]->drain();
                  }});
}

void IoLoop::stop() {
  if (stopping_) return;
  stopping_ = true;
  mailbox_->post({nullptr, [this] { close_all(); }});
  if (!thread_.joinable()) run();  // never started: the same end, on this thread
  if (thread_.joinable()) thread_.join();
  mailbox_->close();
}

void IoLoop::close_all() {
  for (std::size_t i = connections_.size(); i-- > 0;) connections_[i]->close();
  closing_ = true;
}

void IoLoop::run_letters() {
  for (auto& letter : mailbox_->take()) {
    if (letter.recipient != nullptr && static_cast<Connection&>(*letter.recipient).closed()) continue;
    letter.task();
  }
}

/// What it takes down with it may close or dirty other connections, which the next round sees to.
void IoLoop::bury_closed() {
  for (Connection* connection : std::exchange(closed_, {})) {
    connection->bury();
    forget(*connection);
  }
}

void IoLoop::arm_tick() {
  ticking_ = true;
  poller_.set_tick(kTick);
}

void IoLoop::tick() {
  const TimePoint now = this->now();
  for (std::size_t i = connections_.size(); i-- > 0;) connections_[i]->on_tick(now);
  if (connections_.empty()) {
    ticking_ = false;
  } else {
    arm_tick();
  }
}

std::uint64_t IoLoop::run_at(TimePoint when, Connection& owner, TimerQueue::Task task) {
  const std::uint64_t id = timers_.add(when, &owner, std::move(task));
  if (when < armed_at_) arm_timer();
  return id;
}

void IoLoop::arm_timer() {
  armed_at_ = timers_.next();
  // By the loop's clock, not the timer's: tests move the former by hand.
  poller_.set_alarm(armed_at_ - now());
}

void IoLoop::run_timers() {
  armed_at_ = kNever;
  const TimePoint now = this->now();
  for (auto due = timers_.take_due(now); due.second; due = timers_.take_due(now)) due.second();
  if (timers_.next() != kNever && timers_.next() < armed_at_) arm_timer();
}

void IoLoop::forget(Connection& connection) {
  const std::size_t at = connection.index();
  PROTEAN_CHECK(at < connections_.size() && connections_[at].get() == &connection);
  const std::shared_ptr<Connection> gone = std::move(connections_[at]);
  if (at + 1 < connections_.size()) {
    connections_[at] = std::move(connections_.back());
    connections_[at]->set_index(at);
  }
  connections_.pop_back();
  load_.fetch_sub(1, std::memory_order_relaxed);
  context_.metrics->connections->add(-1);
}

}  // namespace protean
