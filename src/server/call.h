// SPDX-License-Identifier: Apache-2.0
// One request on its way through the house: where it came from, what it asks, when it passed each stage.
// ExchangeCall answers an HTTP request or a unary gRPC call, StreamCall one message of a gRPC stream.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "core/exchange.h"
#include "core/protocol.h"
#include "serving/response_cache/response_cache.h"
#include "serving/scheduling/scheduler.h"

namespace protean {

class RequestPath;

/// Owned jointly by whoever works on it.
class Call : public InferCall, public CacheWaiter, public std::enable_shared_from_this<Call> {
 public:
  explicit Call(RequestPath& path) noexcept : path_(path) {}

  [[nodiscard]] virtual const RequestHead& head() const noexcept = 0;
  [[nodiscard]] virtual const Slice& body() const noexcept = 0;
  [[nodiscard]] virtual TimePoint complete_at() const noexcept = 0;
  virtual void reply(Response response) = 0;
  /// Sends one part of an answer that comes in parts; counts in `part_bytes`.
  void send_part(Response part);
  /// The end of such an answer, with the piece that says why where it ends early. In place of reply().
  virtual void end_parts(std::optional<Response> late_error) = 0;
  [[nodiscard]] RequestView view() const noexcept { return {head(), body()}; }

  void done(Result<InferResult> result, RunTimes run_times) override;
  [[nodiscard]] bool cancelled() const noexcept override = 0;
  [[nodiscard]] TimePoint deadline() const noexcept override { return request->deadline; }
  void answer(Result<InferResult> result) override;
  void lead(CacheLead lead) override;

  const Protocol* protocol = nullptr;
  Operation operation;
  bool understood = false;  // operation is what the client asked
  TimePoint decoded_at{};
  TimePoint outcome_at{};
  RunTimes times;
  std::optional<CacheLead> cache_lead;     // of a request that runs for others too
  std::optional<Explanation> explanation;  // of a request to explain, once its job has run
  std::size_t part_bytes = 0;              // of the parts that have been sent; 0: none was

 private:
  virtual void pass_part(Response part, bool first) = 0;

  RequestPath& path_;
};

class ExchangeCall final : public Call {
 public:
  ExchangeCall(RequestPath& path, std::shared_ptr<Exchange> exchange) noexcept
      : Call(path), exchange_(std::move(exchange)) {}

  [[nodiscard]] const RequestHead& head() const noexcept override { return exchange_->head(); }
  [[nodiscard]] const Slice& body() const noexcept override { return exchange_->body(); }
  [[nodiscard]] TimePoint complete_at() const noexcept override { return exchange_->complete_at(); }
  [[nodiscard]] bool cancelled() const noexcept override { return exchange_->cancelled(); }
  void on_cancel(std::function<void()> leave) override { exchange_->on_cancel(std::move(leave)); }
  void reply(Response response) override { exchange_->respond(std::move(response)); }
  void end_parts(std::optional<Response> late_error) override;

 private:
  void pass_part(Response part, bool first) override;
  void write(Response piece);

  const std::shared_ptr<Exchange> exchange_;
};

/// The events of one gRPC stream: its messages become StreamCalls, one at a time, answered in order.
class StreamCalls final : public MessageStreamHandler, public std::enable_shared_from_this<StreamCalls> {
 public:
  StreamCalls(RequestPath& path, std::shared_ptr<MessageStream> stream) noexcept
      : path_(path), stream_(std::move(stream)) {}

  void on_message(Slice message) override;
  void on_half_close() override;
  void on_cancel() override {}

  [[nodiscard]] MessageStream& stream() noexcept { return *stream_; }
  [[nodiscard]] const std::shared_ptr<MessageStream>& stream_handle() const noexcept { return stream_; }
  /// The answer to the message in work: sent, or the end of the stream if it is an error.
  void reply(Response response);
  /// All answers to the message in work have been sent.
  void answered();
  /// The message in work asked to be told of changes: no further message is read, and the stream counts as idle.
  void keep_open() { busy_.store(false); }
  /// Ends the stream now if it is idle, otherwise after the message in work.
  void drain();

 private:
  void finish_draining();

  RequestPath& path_;
  const std::shared_ptr<MessageStream> stream_;
  std::atomic<bool> busy_{false};
  std::atomic<bool> draining_{false};
};

class StreamCall final : public Call {
 public:
  StreamCall(RequestPath& path, std::shared_ptr<StreamCalls> calls, Slice message, TimePoint now) noexcept
      : Call(path), calls_(std::move(calls)), message_(std::move(message)), complete_at_(now) {}

  [[nodiscard]] const RequestHead& head() const noexcept override { return calls_->stream().head(); }
  [[nodiscard]] const Slice& body() const noexcept override { return message_; }
  [[nodiscard]] TimePoint complete_at() const noexcept override { return complete_at_; }
  [[nodiscard]] bool cancelled() const noexcept override { return calls_->stream().cancelled(); }
  void on_cancel(std::function<void()> leave) override { calls_->stream().on_cancel(std::move(leave)); }
  void reply(Response response) override { calls_->reply(std::move(response)); }
  void end_parts(std::optional<Response> late_error) override {
    late_error ? calls_->reply(*std::move(late_error)) : calls_->answered();
  }
  [[nodiscard]] const std::shared_ptr<StreamCalls>& calls() const noexcept { return calls_; }

 private:
  void pass_part(Response part, bool) override { calls_->stream().send(std::move(part)); }

  const std::shared_ptr<StreamCalls> calls_;
  const Slice message_;
  const TimePoint complete_at_;
};

}  // namespace protean
