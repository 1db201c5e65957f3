// SPDX-License-Identifier: Apache-2.0
// The two handles that the request path gets: a whole request (HTTP/2 or unary gRPC) and a gRPC stream of
// messages. Both turn calls from any thread into commands for their session and know nothing of frames.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/cancel_signal.h"
#include "core/exchange.h"
#include "transport/http2/mailbox.h"

namespace protean::http2 {

/// What both handles share: whose they are, and whether anybody still waits for them.
class StreamHandle {
 public:
  StreamHandle(std::shared_ptr<StreamMailbox> mailbox, std::int32_t stream_id, RequestHead head);
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;
  /// Thread-safe.
  void cancel() { signal_.cancel(); }

 protected:
  ~StreamHandle();
  enum class State : unsigned char { kOpen, kStarted, kDone };
  /// Moves from `from` to `to`; false when somebody else was quicker.
  [[nodiscard]] bool advance(State from, State to) noexcept { return state_.compare_exchange_strong(from, to); }
  [[nodiscard]] State state() const noexcept { return state_.load(); }
  void send(CommandKind kind, Response response = {}, bool compressed = false);

  const std::shared_ptr<StreamMailbox> mailbox_;
  const std::int32_t stream_id_;
  const RequestHead head_;
  void listen(std::function<void()> leave);

  CancelSignal signal_;

 private:
  std::atomic<State> state_{State::kOpen};
  std::uint64_t listener_ = 0;
};

/// How answers are coded for the client that asked.
struct AnswerCoding {
  bool grpc_gzip = false;  // gRPC: the request came in gzip and the client takes it
  bool as_is = false;      // HTTP: answers are passed on, not coded
};

/// A request that has arrived whole.
class WholeExchange final : public Exchange, public StreamHandle {
 public:
  WholeExchange(std::shared_ptr<StreamMailbox> mailbox, std::int32_t stream_id, RequestHead head, AnswerCoding coding);
  /// Before it is handed out.
  void complete(Slice body, TimePoint at);

  [[nodiscard]] const RequestHead& head() const noexcept override { return head_; }
  [[nodiscard]] const Slice& body() const noexcept override { return body_; }
  [[nodiscard]] TimePoint complete_at() const noexcept override { return complete_at_; }
  [[nodiscard]] bool cancelled() const noexcept override { return signal_.cancelled(); }
  void on_cancel(std::function<void()> leave) override { listen(std::move(leave)); }
  void respond(Response response) override;
  void start(Response head) override;
  void write(Slice piece, std::shared_ptr<const void> until_sent) override;
  void finish() override;

 private:
  const AnswerCoding coding_;
  Slice body_;
  TimePoint complete_at_{};
};

/// A gRPC call with messages in both directions.
class StreamExchange final : public MessageStream, public StreamHandle {
 public:
  StreamExchange(std::shared_ptr<StreamMailbox> mailbox, std::int32_t stream_id, RequestHead head, AnswerCoding coding);

  [[nodiscard]] const RequestHead& head() const noexcept override { return head_; }
  [[nodiscard]] bool cancelled() const noexcept override { return signal_.cancelled(); }
  void on_cancel(std::function<void()> leave) override { listen(std::move(leave)); }
  void send(Response message) override;
  void next() override;
  void finish(std::optional<Code> code, std::string message) override;

 private:
  const AnswerCoding coding_;
};

}  // namespace protean::http2
