// SPDX-License-Identifier: Apache-2.0
// How answers come home: exchanges live on any thread, sessions on one loop. A StreamMailbox carries what an
// exchange asks for to its session, at once when already on the loop, else with one wake-up per batch, and
// swallows it when the session is gone.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "core/http.h"
#include "transport/session.h"

namespace protean::http2 {

enum class CommandKind : unsigned char {
  kRespond,      // the whole answer
  kStart,        // head and first piece of an answer in pieces
  kWrite,        // one more piece (response.body)
  kFinish,       // no more pieces
  kDropped,      // the last holder let go without having answered
  kSendMessage,  // gRPC stream: one message
  kNextMessage,  // gRPC stream: one message wanted
  kEndStream     // gRPC stream: status
};

/// What an exchange asks of its session.
struct Command {
  CommandKind kind;
  std::int32_t stream_id = 0;
  bool compressed = false;  // gRPC: response.body is gzip already
  TimePoint at{};           // when it was asked; set when response.write_time is
  Response response;
};

/// The session's side.  Loop-thread only.
class CommandSink {
 public:
  virtual ~CommandSink() = default;
  virtual void execute(Command command) = 0;
  /// After one or more execute(): what they produced may leave.
  virtual void executed() = 0;
};

/// Shared by a session and its exchanges.
class StreamMailbox : public std::enable_shared_from_this<StreamMailbox> {
 public:
  /// Both outlive the call of close().
  StreamMailbox(SessionHost& host, CommandSink& sink, const Clock& clock)
      : state_(State{&host, &sink, {}, false, false}), clock_(clock) {}

  /// Commands of one sender arrive in the order sent.  Thread-safe; never blocks.
  void send(Command command);
  /// The session ends: nothing is delivered any more.  Loop-thread only.
  void close();

  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }
  /// Exchanges that somebody still holds, whether their stream is open or not.
  [[nodiscard]] int exchanges() const noexcept { return exchanges_.load(std::memory_order_relaxed); }
  void count_exchange(int change) noexcept { exchanges_.fetch_add(change, std::memory_order_relaxed); }

 private:
  struct State {
    SessionHost* host;
    CommandSink* sink;
    std::vector<Command> waiting;
    bool posted;
    bool delivering;
  };
  void deliver();

  Locked<State> state_;
  const Clock& clock_;
  std::atomic<int> exchanges_{0};
};

}  // namespace protean::http2
