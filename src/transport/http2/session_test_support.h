// SPDX-License-Identifier: Apache-2.0
// An HTTP/2 client (nghttp2's own) wired to a session through memory, and a request path that does what a
// test tells it, so that tests read as requests and answers.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/grpc/wire.h"
#include "transport/session_factories.h"
#include "transport/session_test_support.h"

namespace protean::http2 {

using FieldPairs = std::vector<std::pair<std::string, std::string>>;

/// What came back on one stream.
struct Answer {
  FieldPairs fields;
  FieldPairs trailers;
  std::vector<std::string> informational;  // statuses below 200
  std::string body;
  bool ended = false;  // END_STREAM received
  bool closed = false;
  std::uint32_t error_code = 0;
  [[nodiscard]] std::string field(std::string_view name) const;
  /// From the trailers, or from the head of an answer that is trailers only.
  [[nodiscard]] std::string grpc(std::string_view name) const;
};

/// The request path of a test.
class TestHandler : public RequestHandler {
 public:
  [[nodiscard]] BodyMode body_mode(const RequestHead& head) const override {
    return head.path.ends_with("Stream") ? BodyMode::kMessages : BodyMode::kWhole;
  }
  void on_exchange(std::shared_ptr<Exchange> exchange) override {
    if (on_request) return on_request(std::move(exchange));
    exchanges.push_back(std::move(exchange));
  }
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream> stream) override {
    return on_open ? on_open(std::move(stream)) : nullptr;
  }

  std::function<void(std::shared_ptr<Exchange>)> on_request;
  std::function<std::shared_ptr<MessageStreamHandler>(std::shared_ptr<MessageStream>)> on_open;
  std::vector<std::shared_ptr<Exchange>> exchanges;
};

/// Server, client and what lies between.
class Pair {
 public:
  explicit Pair(Limits limits = {}, std::size_t memory_bytes = std::size_t{1} << 30,
                std::uint32_t client_window = 65535);
  ~Pair();

  /// Opens a stream; nothing moves before run(). Without `body` the request ends with its head.
  std::int32_t request(const FieldPairs& fields, std::optional<std::string> body = std::nullopt, bool end = true);
  /// A gRPC call of one message.
  std::int32_t call(std::string_view path, std::string_view message, FieldPairs more = {});
  /// More bytes for a stream that has been opened with end = false.
  void send(std::int32_t id, std::string_view bytes, bool end = false);
  void reset(std::int32_t id, std::uint32_t code = NGHTTP2_CANCEL);
  void ping();
  /// Moves bytes both ways, and runs what was posted, until nothing is left.
  void run();
  /// Bytes as they are, past the client's own state.
  void send_raw(std::string_view bytes);

  Answer& answer(std::int32_t id) { return answers[id]; }

  /// Moves time, runs the timers that are due, then looks at the session's deadline.
  void advance(Duration by);
  /// How often the transport refused something for this cause.
  [[nodiscard]] std::uint64_t refused(const std::string& cause);

  TestHandler handler;
  metrics::Registry registry;
  TransportMetrics metrics{registry};
  MemoryBudget memory;
  testing::ManualClock clock;
  TransportContext context;
  std::shared_ptr<testing::MemoryHost> host;
  std::unique_ptr<Session> session;
  std::map<std::int32_t, Answer> answers;
  std::vector<std::uint32_t> goaways;  // error codes in the order received
  int pongs = 0;
  bool auto_window = true;  // the client opens its window by itself

 private:
  struct Upload {
    std::string bytes;
    bool end = false;
    bool waiting = false;
  };
  struct Callbacks;
  friend struct Callbacks;
  nghttp2_session* client_ = nullptr;
  std::map<std::int32_t, Upload> uploads_;
};

/// Prefix and message.
[[nodiscard]] std::string framed(std::string_view message, bool compressed = false);
/// The fields of a gRPC call.
[[nodiscard]] FieldPairs grpc_fields(std::string_view path, FieldPairs more = {});
[[nodiscard]] FieldPairs http_fields(std::string_view method, std::string_view path, FieldPairs more = {});

}  // namespace protean::http2
