// SPDX-License-Identifier: Apache-2.0
// One client connection, whatever it speaks: connected once, used until it fails or the server ends it, then replaced
// by its owner. The two kinds differ in how many requests may be on their way.
//
//   made --connect()--> connecting --> open --> closed
//                            \___________________^
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "transport/client/client_loop.h"
#include "transport/client/client_request.h"

namespace protean {

/// `address`: numeric.
struct ClientTarget {
  std::string address;
  std::uint16_t port = 0;
};

/// Asks the resolver; blocks.  Errors: kUnavailable when the name is not known.
[[nodiscard]] Result<ClientTarget> resolve_target(const std::string& host, std::uint16_t port);

/// `deadline`: when expire() gives the request up.  `keep_max`: bytes of the body to keep.
/// `memory`: what they are charged to; it outlives the reply.
struct SendOptions {
  TimePoint deadline = kNever;
  std::size_t keep_max = 0;
  bool keep_fields = false;
  MemoryBudget* memory = nullptr;
};

/// Called by its loop's thread only. Callbacks come from within the loop, expire() and close(), never from within
/// connect() or send() except where these say so.
class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  using Connected = std::function<void(Status)>;
  using Done = std::function<void(ClientReply)>;

  /// `loop` outlives the connection.
  explicit ClientConnection(ClientLoop& loop);
  virtual ~ClientConnection();

  /// Once.  `connected` is called exactly once.  Errors: kUnavailable, kDeadlineExceeded.
  void connect(const ClientTarget& target, TimePoint deadline, Connected connected);
  /// It can be given requests; false before it is connected, when it is broken, and when the server wants no more.
  [[nodiscard]] virtual bool usable() const noexcept { return state_ == State::kOpen; }
  /// Requests that may be sent now.
  [[nodiscard]] virtual std::size_t room() const noexcept = 0;
  /// `done` is called exactly once; within this call, with kUnavailable, when there is no room().
  virtual void send(std::shared_ptr<const ClientRequest> request, SendOptions options, Done done) = 0;
  /// Gives up what is past its deadline at `now`.
  virtual void expire(TimePoint now);
  /// Requests in flight fail with kUnavailable.
  void close();

 protected:
  enum class State : unsigned char { kMade, kConnecting, kOpen, kClosed };

  virtual void on_open() {}
  /// Bytes from the server; may send() and break_off().
  virtual void on_bytes(std::span<const std::byte> bytes) = 0;
  /// The server has finished sending.
  virtual void on_end() { break_off({Code::kUnavailable, "the server closed the connection", {}, {}}); }
  /// The connection is closed: every request in flight fails with `error`.
  virtual void on_broken(const Error& error) = 0;

  /// What send() answers without room().
  [[nodiscard]] static ClientReply no_room();
  /// An empty one that keeps what `options` ask for.
  [[nodiscard]] static ClientReply empty_reply(const SendOptions& options);
  /// Queues bytes and writes what the socket takes at once.
  void write(Slice bytes);
  void write(Slice first, Slice second);
  /// Closes, then on_broken(); later calls do nothing.
  void break_off(const Error& error);

 private:
  void finish_connecting(Status status);
  void read();
  void flush();
  void consume(std::size_t bytes);

  boost::asio::ip::tcp::socket socket_;
  State state_ = State::kMade;
  Connected connected_;
  std::string place_;
  TimePoint connect_deadline_ = kNever;
  std::deque<Slice> output_;
  bool waits_to_write_ = false;
  bool can_write_ = true;
  std::vector<std::byte> input_;
};

/// HTTP/1.1 with keep-alive: one request at a time.
[[nodiscard]] std::shared_ptr<ClientConnection> make_http1_client(ClientLoop& loop);

/// HTTP/2 with prior knowledge, gRPC included: up to `streams` requests at a time.
[[nodiscard]] std::shared_ptr<ClientConnection> make_http2_client(ClientLoop& loop, std::size_t streams);

}  // namespace protean
