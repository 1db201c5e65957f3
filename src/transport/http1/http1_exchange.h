// SPDX-License-Identifier: Apache-2.0
// A request of an HTTP/1.1 connection in the hands of the request path, and its way back to the connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/cancel_signal.h"
#include "core/exchange.h"
#include "core/memory_budget.h"
#include "transport/session.h"

namespace protean {

/// Where answers go. Loop-thread only.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  /// What one exchange says: all of the answer, or its head, a piece, the end, or that no end will come.
  struct Answer {
    enum class Kind : unsigned char { kWhole, kStart, kPiece, kFinish, kAbort };
    Kind kind = Kind::kWhole;
    std::uint64_t sequence = 0;
    Response response;  // kWhole, kStart; kPiece: the body only
    TimePoint at{};     // when respond() was called, if response.write_time is set
  };
  virtual void on_answer(Answer answer) = 0;
};

/// What the exchanges of a connection share with it; the connection cuts it when it closes.
struct Http1Link {
  Http1Link(std::shared_ptr<SessionHost> h, AnswerSink* s)
      : host(std::move(h)), clock(host->context().clock), keeps_coding(host->context().keeps_coding), sink(s) {}
  const std::shared_ptr<SessionHost> host;
  const Clock* const clock;  // host.context() may be gone once the connection is
  const bool keeps_coding;
  AnswerSink* sink;  // loop-thread only; nullptr once cut
  std::atomic<bool> closed{false};
  CancelSignal left;  // closed, or half-closed by a client that is taken to be gone
};

/// Thread-safe as Exchange asks.
class Http1Exchange final : public Exchange {
 public:
  struct Request {
    RequestHead head;
    Slice body;
    TimePoint complete_at{};
    std::uint64_t sequence = 0;
  };
  /// `memory`: what the body was charged with; given back with the exchange.
  Http1Exchange(std::shared_ptr<Http1Link> link, Request request, Reservation memory);
  Http1Exchange(std::shared_ptr<Http1Link> link, Request request);
  ~Http1Exchange() override;

  [[nodiscard]] const RequestHead& head() const noexcept override { return request_.head; }
  [[nodiscard]] const Slice& body() const noexcept override { return request_.body; }
  [[nodiscard]] TimePoint complete_at() const noexcept override { return request_.complete_at; }
  [[nodiscard]] bool cancelled() const noexcept override { return link_->left.cancelled(); }
  void on_cancel(std::function<void()> leave) override;
  void respond(Response response) override;
  void start(Response head) override;
  void write(Slice piece, std::shared_ptr<const void> until_sent) override;
  void finish() override;

 private:
  /// kOpen ─respond()─▶ kDone;  kOpen ─start()─▶ kStreaming ─finish()─▶ kDone
  enum class State : unsigned char { kOpen, kStreaming, kDone };
  [[nodiscard]] bool move_on(State from, State to) noexcept;
  void send(AnswerSink::Answer::Kind kind, Response response);

  const std::shared_ptr<Http1Link> link_;
  const Request request_;
  const std::optional<Reservation> memory_;
  std::uint64_t listener_ = 0;  // written before the answer, read by it
  std::atomic<State> state_{State::kOpen};
};

}  // namespace protean
