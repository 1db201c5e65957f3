// SPDX-License-Identifier: Apache-2.0
// One I/O thread: an event loop, the connections that belong to it, their timers, and scratch memory to read into.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "transport/connection_count.h"
#include "transport/mailbox.h"
#include "transport/session.h"
#include "transport/timer_queue.h"
#include "transport/tls/tls_context.h"

namespace protean {

class Connection;

/// A socket just accepted: non-blocking, owned by whoever holds this.
struct AcceptedSocket {
  int descriptor = -1;
  std::string peer;
  std::shared_ptr<const TlsContext> tls;  // nullptr: plain
  Dialect dialect = Dialect::kDefault;    // of the listener that accepted it
};

/// Made and destroyed by the server's thread; what is not called thread-safe is for the loop's own thread.
class IoLoop {
 public:
  /// `context` and `count` outlive the loop.  `name`: of the thread, at most 15 bytes.
  IoLoop(const TransportContext& context, ConnectionCount& count, std::string name);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  void start();
  /// Takes the socket over; it has been counted already.  Thread-safe.
  void adopt(AcceptedSocket socket);
  /// Lets every connection finish what is in flight.  Thread-safe; returns at once.
  void drain();
  /// Closes every connection and joins the thread.  From the server's thread; again: no effect.
  void stop();
  /// Connections handed to this loop and not yet gone.  Thread-safe.
  [[nodiscard]] std::size_t load() const noexcept { return load_.load(std::memory_order_relaxed); }

  [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }
  [[nodiscard]] const TransportContext& context() const noexcept { return context_; }
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const noexcept { return mailbox_; }
  /// The loop whose thread this is; nullptr on other threads.  Thread-safe.
  [[nodiscard]] static const IoLoop* current() noexcept { return current_; }
  [[nodiscard]] TimePoint now() const noexcept { return context_.clock->now(); }
  /// Valid until the next event.
  [[nodiscard]] std::span<std::byte> scratch() noexcept { return scratch_; }

  /// Calls connection.end_turn() after what is already waiting to run.
  void flush_later(Connection& connection);
  std::uint64_t run_at(TimePoint when, Connection& owner, TimerQueue::Task task);
  void cancel_timer(std::uint64_t id) { timers_.cancel(id); }
  void cancel_timers_of(const Connection& owner) { timers_.cancel_owned(&owner); }
  /// The connection takes no part in draining and the bound any more (it lingers or is closed).
  void count_out() { count_.remove(); }
  /// The connection is closed and none of its waits is pending: it may be destroyed.
  void forget(Connection& connection);

 private:
  void run();
  void add(AcceptedSocket socket);
  void run_letters();
  void flush_dirty();
  void arm_tick();
  void tick();
  void arm_timer();
  void run_timers();
  void close_all();

  // Constant after construction.
  const TransportContext& context_;
  ConnectionCount& count_;
  const std::string name_;

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer tick_timer_;
  boost::asio::steady_timer precise_timer_;
  std::shared_ptr<Mailbox> mailbox_;
  TimerQueue timers_;
  TimePoint armed_at_ = kNever;
  bool ticking_ = false;
  bool draining_ = false;
  bool stopping_ = false;
  std::vector<std::byte> scratch_;
  std::vector<std::shared_ptr<Connection>> connections_;  // each knows its index
  std::vector<std::shared_ptr<Connection>> dirty_;
  std::atomic<std::size_t> load_{0};
  std::thread thread_;
  static thread_local const IoLoop* current_;
};

}  // namespace protean
