// SPDX-License-Identifier: Apache-2.0
// One accepted socket: finds out what the client speaks, then carries bytes between the kernel and a Session.
// All work of an event happens in one turn: read what there is, let the session act, write once. The kernel tells of
// each change once, so what a turn leaves unread or unwritten is remembered here.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "transport/io_loop.h"
#include "transport/io_result.h"
#include "transport/session.h"

namespace protean {

/// Loop-thread only, except post(), in_loop() and the destructor: exchanges may keep a closed connection for longer
/// than its loop lives.
class Connection final : public SessionHost {
 public:
  /// Takes over the socket.  `index`: its place in the loop's list.
  Connection(IoLoop& loop, AcceptedSocket socket, std::size_t index);
  ~Connection() override;

  void start();
  /// The socket changed; `events`: as epoll has them.
  void on_ready(std::uint32_t events);
  /// Reads what there is and acts on it.
  void take_turn();
  /// Looks for what has taken too long.
  void on_tick(TimePoint now);
  /// Sends what is due, closes when the session is done, asks for another turn if one is due. Ends every turn.
  void end_turn();
  void drain();
  /// At once; the session's exchanges are cancelled.
  void close();
  /// The last thing after close(): nothing of this connection is on the stack.
  void bury();

  [[nodiscard]] bool closed() const noexcept { return phase_ == Phase::kClosed; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  void set_index(std::size_t index) noexcept { index_ = index; }

  [[nodiscard]] const TransportContext& context() const noexcept override { return context_; }
  [[nodiscard]] OutputQueue& output() noexcept override { return output_; }
  void flush_soon() override;
  void count_answer(bool refused) override { loop_.count_answer(refused); }
  void resume_reading() override { flush_soon(); }
  void post(std::function<void()> task) override;
  [[nodiscard]] bool in_loop() const noexcept override;
  std::uint64_t run_at(TimePoint when, std::function<void()> task) override;
  void cancel_timer(std::uint64_t id) override;
  [[nodiscard]] const std::string& peer() const noexcept override { return peer_; }
  [[nodiscard]] Dialect dialect() const noexcept override { return dialect_; }
  [[nodiscard]] bool is_tls() const noexcept override { return tls_ != nullptr; }

 private:
  ///  kHandshake ──▶ kSniffing ──▶ kOpen ──▶ kLingering ──▶ kClosed
  ///  (TLS only)        ▲                (reads and drops)     ▲
  ///     plain ─────────┘         every state may go there ────┘
  enum class Phase : unsigned char { kHandshake, kSniffing, kOpen, kLingering, kClosed };

  void shake_hands();
  void read_turn();
  [[nodiscard]] bool read_once(std::size_t& budget);
  void deliver(std::span<const std::byte> bytes);
  void sniff(std::span<const std::byte> bytes);
  void open(std::unique_ptr<Session> session);
  void on_peer_finished();
  void discard();

  [[nodiscard]] IoResult read_some(std::span<std::byte> into);
  [[nodiscard]] IoResult write_some(std::span<const iovec> vectors);
  void flush();
  /// One gather-write. True when the socket took everything there was.
  [[nodiscard]] bool flush_once();
  void plan_next_turn();
  /// Whether anybody wants what the client sends.
  [[nodiscard]] bool reads() const noexcept;
  /// Whether a read may come to something.
  [[nodiscard]] bool readable() const noexcept;
  void linger();
  void leave_count();
  void drop_session();

  IoLoop& loop_;
  const TransportContext& context_;
  const std::shared_ptr<Mailbox> mailbox_;
  const int descriptor_;  // open until close()
  const std::string peer_;
  const Dialect dialect_;
  std::unique_ptr<TlsStream> tls_;
  std::unique_ptr<Session> session_;
  OutputQueue output_;
  std::string sniffed_;                // bytes that could still become an HTTP/2 preface
  TimePoint phase_deadline_ = kNever;  // of handshake, first byte, preface and lingering
  TimePoint stuck_since_ = kNever;     // the socket takes no more output since then
  std::size_t index_;
  Phase phase_ = Phase::kSniffing;
  bool readable_ = false;  // the kernel may have more to read
  bool ending_ = false;    // ... at least the end of the stream or an error
  bool broken_ = false;    // reset, or closed in both directions
  bool timers_ = false;    // some may still be pending
  bool counted_ = true;
  bool peer_finished_ = false;
  bool draining_ = false;
  bool in_turn_ = false;
  bool flush_queued_ = false;
  bool turn_queued_ = false;
};

}  // namespace protean
