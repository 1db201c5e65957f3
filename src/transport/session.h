// SPDX-License-Identifier: Apache-2.0
// The seam between sockets and protocols on the wire. A Session turns bytes into exchanges and answers into
// bytes without ever touching a socket, so that tests and fuzzers drive it with plain memory; a SessionHost
// (in the server: a Connection) is everything it may ask of the world.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "core/exchange.h"
#include "core/memory_budget.h"
#include "transport/limits.h"
#include "transport/output_queue.h"

namespace protean {

/// What all connections of a listener share.  Constant after construction; the members outlive every session.
struct TransportContext {
  RequestHandler* handler = nullptr;
  Limits limits;
  MemoryBudget* memory = nullptr;  // bodies in flight, all connections together
  const Clock* clock = &Clock::system();
  /// Counters by cause, made once: see transport_metrics.h.
  struct TransportMetrics* metrics = nullptr;
  /// For whoever only passes messages on: `content-encoding` of requests is not undone, and answers are not coded.
  bool keeps_coding = false;
};

/// One connection as its session sees it.  Loop-thread only, except post() and in_loop().
class SessionHost : public std::enable_shared_from_this<SessionHost> {
 public:
  virtual ~SessionHost() = default;
  [[nodiscard]] virtual const TransportContext& context() const noexcept = 0;
  [[nodiscard]] virtual OutputQueue& output() noexcept = 0;
  /// Output was appended (or the wish to close changed) outside on_bytes(): write at the end of this turn.
  virtual void flush_soon() = 0;
  /// An answer goes into the output. `refused`: for load alone (Response::refused).
  virtual void count_answer(bool /*refused*/) {}
  /// The session paused reading (wants_read() was false) and wants it again.
  virtual void resume_reading() = 0;
  /// Runs `task` on the loop that owns this connection; dropped if the connection is gone.  Thread-safe.
  virtual void post(std::function<void()> task) = 0;
  [[nodiscard]] virtual bool in_loop() const noexcept = 0;
  /// Runs `task` on the loop at `when`, unless cancelled or the connection is gone. Ids are never 0.
  virtual std::uint64_t run_at(TimePoint when, std::function<void()> task) = 0;
  virtual void cancel_timer(std::uint64_t id) = 0;
  [[nodiscard]] virtual const std::string& peer() const noexcept = 0;
  [[nodiscard]] virtual bool is_tls() const noexcept = 0;
  [[nodiscard]] virtual Dialect dialect() const noexcept = 0;
};

/// One wire protocol on one connection.  Loop-thread only.
class Session {
 public:
  virtual ~Session() = default;
  /// Where the next bytes had best land (the rest of an announced body), or empty for the loop's scratch
  /// memory. Bytes read there are reported by on_target_filled() instead of on_bytes().
  [[nodiscard]] virtual std::span<std::byte> read_target() { return {}; }
  virtual void on_target_filled(std::size_t /*count*/) {}
  /// How many bytes are worth reading into scratch memory at once, > 0: what is read there is copied once more.
  [[nodiscard]] virtual std::size_t scratch_bytes_max() const noexcept { return SIZE_MAX; }
  /// Consumes all of `bytes` (keeping a copy of an unfinished tail), calls the handler for what is complete
  /// and appends answers to the output.
  virtual void on_bytes(std::span<const std::byte> bytes) = 0;
  /// The peer sent its last byte (FIN); answers may still be sent.
  virtual void on_peer_finished() = 0;
  /// The connection is gone: exchanges in flight are cancelled and must no longer touch the host.
  virtual void on_closed() = 0;
  /// Everything queued has left for the kernel; a session that produces lazily appends more now.
  virtual void on_output_drained() {}
  /// False while the session has all it can hold (pipeline full, output too long): reading pauses.
  [[nodiscard]] virtual bool wants_read() const noexcept = 0;
  /// True when the connection is to be closed once the output is empty.
  [[nodiscard]] virtual bool wants_close() const noexcept = 0;
  /// When to call on_deadline() at the latest (header, body or idle time-out); kNever if none runs.
  [[nodiscard]] virtual TimePoint deadline() const noexcept = 0;
  virtual void on_deadline(TimePoint now) = 0;
  /// The server is stopping: finish what is in flight, take nothing new, then want to close.
  virtual void drain() = 0;
  /// Requests received and not yet answered in full.
  [[nodiscard]] virtual std::size_t in_flight() const noexcept = 0;
};

}  // namespace protean
