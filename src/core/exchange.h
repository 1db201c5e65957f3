// SPDX-License-Identifier: Apache-2.0
// The meeting point of transport and request path: a request that has arrived whole and waits for its one
// response, and a gRPC stream whose messages come one at a time.
#pragma once

#include <functional>
#include <memory>

#include "core/http.h"

namespace protean {

/// One request and the way to answer it. Held by whoever works on it; dropping the last reference without
/// an answer sends an INTERNAL error, so that no client waits for ever.
class Exchange {
 public:
  virtual ~Exchange() = default;
  [[nodiscard]] virtual const RequestHead& head() const noexcept = 0;
  [[nodiscard]] virtual const Slice& body() const noexcept = 0;
  /// When the last byte of the request had arrived and was decoded.
  [[nodiscard]] virtual TimePoint complete_at() const noexcept = 0;
  /// True once the client hung up, reset the stream, or the deadline's answer has been sent: nobody is
  /// waiting for respond() any more.  Thread-safe.
  [[nodiscard]] virtual bool cancelled() const noexcept = 0;
  /// Calls `leave` when cancelled() turns true, at once if it has; not after respond(). A later call replaces the one
  /// before. Thread-safe; `leave` runs on any thread, must not block, and must not keep the exchange alive.
  virtual void on_cancel(std::function<void()> leave) = 0;
  /// Sends the answer. At most one call has an effect; later ones are ignored.
  /// Thread-safe; on the owning I/O thread the bytes leave at the end of its turn.
  virtual void respond(Response response) = 0;

  /// Answer in pieces of unknown total: start() once (its body is the first piece), then write()s, then
  /// finish(). HTTP/1.1 sends them chunked, none are compressed. `until_sent` is let go, on any thread, once the piece
  /// has left for the kernel or never will.  Thread-safe, in the order called.
  virtual void start(Response head) = 0;
  virtual void write(Slice piece, std::shared_ptr<const void> until_sent) = 0;
  virtual void finish() = 0;
};

/// A gRPC call with message streams in both directions.  All methods thread-safe.
class MessageStream {
 public:
  virtual ~MessageStream() = default;
  [[nodiscard]] virtual const RequestHead& head() const noexcept = 0;
  [[nodiscard]] virtual bool cancelled() const noexcept = 0;
  /// As Exchange::on_cancel(), for the message in work: a later call replaces the one before.
  virtual void on_cancel(std::function<void()> leave) = 0;
  /// Queues one message (the parts of response.body together).
  virtual void send(Response message) = 0;
  /// Asks for the next message: exactly one on_message() or on_half_close() follows each call. Until then
  /// the peer's flow-control window stays closed, so that a fast client cannot fill memory.
  virtual void next() = 0;
  /// Ends the call with this status (nullopt: OK). Later sends are ignored.
  virtual void finish(std::optional<Code> code, std::string message) = 0;
};

/// What the request path does with a MessageStream's events. Called on the owning I/O thread.
class MessageStreamHandler {
 public:
  virtual ~MessageStreamHandler() = default;
  virtual void on_message(Slice message) = 0;
  virtual void on_half_close() = 0;
  /// The client left or the deadline passed; nothing is called afterwards.
  virtual void on_cancel() = 0;
};

enum class BodyMode : unsigned char {
  kWhole,    // collect the body (for gRPC: one message), then on_exchange()
  kMessages  // on_stream() at once, messages as they are asked for; gRPC only
};

/// What transports call: the server's request path. Called on I/O threads, concurrently.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  /// Asked when the head is complete.  Cheap and free of side effects.
  [[nodiscard]] virtual BodyMode body_mode(const RequestHead& head) const = 0;
  virtual void on_exchange(std::shared_ptr<Exchange> exchange) = 0;
  /// Returns the handler of this stream's events; next() has not been called yet.
  virtual std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream> stream) = 0;
};

}  // namespace protean
