// SPDX-License-Identifier: Apache-2.0
// One I/O thread: an event loop, the connections that belong to it, their timers, and scratch memory to read into.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "transport/connection_count.h"
#include "transport/mailbox.h"
#include "transport/poller.h"
#include "transport/refusal_pace.h"
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

  [[nodiscard]] Poller& poller() noexcept { return poller_; }
  [[nodiscard]] const TransportContext& context() const noexcept { return context_; }
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const noexcept { return mailbox_; }
  /// The loop whose thread this is; nullptr on other threads.  Thread-safe.
  [[nodiscard]] static const IoLoop* current() noexcept { return current_; }
  [[nodiscard]] TimePoint now() const noexcept { return context_.clock->now(); }
  /// Valid until the next event.
  [[nodiscard]] std::span<std::byte> scratch() noexcept { return scratch_; }

  void count_answer(bool refused) noexcept { pace_.count(refused); }
  /// Calls connection.end_turn() when every socket that is ready has had its turn.
  void flush_later(Connection& connection) { dirty_.push_back(&connection); }
  /// The same with connection.take_turn().
  void turn_later(Connection& connection) { turns_.push_back(&connection); }
  /// The connection is closed: takes it apart when nothing of it is on the stack any more.
  void bury_later(Connection& connection) { closed_.push_back(&connection); }
  std::uint64_t run_at(TimePoint when, Connection& owner, TimerQueue::Task task);
  void cancel_timer(std::uint64_t id) { timers_.cancel(id); }
  void cancel_timers_of(const Connection& owner) { timers_.cancel_owned(&owner); }
  /// The connection takes no part in draining and the bound any more (it lingers or is closed).
  void count_out() { count_.remove(); }

 private:
  void run();
  void run_round();
  void add(AcceptedSocket socket);
  void run_letters();
  void run_turns(std::span<const epoll_event> sockets);
  void flush_dirty();
  void bury_closed();
  void forget(Connection& connection);
  void arm_tick();
  void tick();
  void arm_timer();
  void run_timers();
  void close_all();

  // Constant after construction.
  const TransportContext& context_;
  ConnectionCount& count_;
  const std::string name_;

  Poller poller_;
  std::shared_ptr<Mailbox> mailbox_;
  TimerQueue timers_;
  RefusalPace pace_;
  TimePoint armed_at_ = kNever;
  bool ticking_ = false;
  bool draining_ = false;
  bool closing_ = false;
  bool stopping_ = false;  // the server's thread's
  std::vector<std::byte> scratch_;
  std::vector<std::shared_ptr<Connection>> connections_;  // each knows its index
  // Plain pointers: connections go at the end of a round only, and these lists have been run through by then.
  std::vector<Connection*> dirty_;
  std::vector<Connection*> turns_;
  std::vector<Connection*> closed_;
  std::vector<Connection*> round_;  // the list being run through; kept for its memory
  std::atomic<std::size_t> load_{0};
  std::thread thread_;
  static thread_local const IoLoop* current_;
};

}  // namespace protean
