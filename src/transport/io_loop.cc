// SPDX-License-Identifier: Apache-2.0
// The loop over a single-threaded io_context. Time-outs that may be late by a tick are looked for in one sweep over
// the connections; those that may not sit in the timer queue behind one timer.
#include "transport/io_loop.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "base/check.h"
#include "base/log.h"
#include "transport/connection.h"
#include "transport/transport_metrics.h"

namespace protean {
namespace {

constexpr std::size_t kScratchBytes = std::size_t{128} << 10;
constexpr std::chrono::milliseconds kTick{250};

}  // namespace

thread_local const IoLoop* IoLoop::current_ = nullptr;

IoLoop::IoLoop(const TransportContext& context, ConnectionCount& count, std::string name)
    : context_(context),
      count_(count),
      name_(std::move(name)),
      io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      work_(boost::asio::make_work_guard(io_)),
      tick_timer_(io_),
      precise_timer_(io_),
      mailbox_(std::make_shared<Mailbox>([this] { boost::asio::post(io_, [this] { run_letters(); }); })),
      scratch_(kScratchBytes) {}

IoLoop::~IoLoop() { stop(); }

void IoLoop::start() {
  PROTEAN_CHECK(!thread_.joinable());
  thread_ = std::thread([this] { run(); });
}

void IoLoop::run() {
  current_ = this;
  pthread_setname_np(pthread_self(), name_.c_str());
  io_.run();
  current_ = nullptr;
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
  dirty_.clear();
  tick_timer_.cancel();
  precise_timer_.cancel();
  work_.reset();
}

void IoLoop::run_letters() {
  for (auto& letter : mailbox_->take()) {
    if (letter.recipient != nullptr && static_cast<Connection&>(*letter.recipient).closed()) continue;
    letter.task();
  }
}

void IoLoop::flush_later(Connection& connection) {
  if (dirty_.empty()) boost::asio::post(io_, [this] { flush_dirty(); });
  dirty_.push_back(std::static_pointer_cast<Connection>(connection.shared_from_this()));
}

void IoLoop::flush_dirty() {
  for (const auto& connection : std::exchange(dirty_, {})) connection->end_turn();
}

void IoLoop::arm_tick() {
  ticking_ = true;
  tick_timer_.expires_after(kTick);
  tick_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
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
  precise_timer_.expires_after(std::max(Duration(0), Duration(armed_at_ - now())));
  precise_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) run_timers();
  });
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
