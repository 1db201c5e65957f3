// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 on one connection: requests in, in any number at once; answers out, in the order of the requests.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "transport/content_coding.h"
#include "transport/http1/http1_exchange.h"
#include "transport/http1/request_body.h"
#include "transport/http1/request_parser.h"
#include "transport/http1/response_writer.h"
#include "transport/session.h"

namespace protean {

/// Source: RFC 9110, RFC 9112.
class Http1Session final : public Session, private AnswerSink, private ChunkSink {
 public:
  explicit Http1Session(SessionHost& host);
  ~Http1Session() override;

  [[nodiscard]] std::span<std::byte> read_target() override;
  void on_target_filled(std::size_t count) override;
  [[nodiscard]] std::size_t scratch_bytes_max() const noexcept override;
  void on_bytes(std::span<const std::byte> bytes) override;
  void on_peer_finished() override;
  void on_closed() override;
  void on_output_drained() override;
  [[nodiscard]] bool wants_read() const noexcept override { return stage_ != Stage::kDone && !paused(); }
  [[nodiscard]] bool wants_close() const noexcept override { return stage_ == Stage::kDone && owed() == 0; }
  [[nodiscard]] TimePoint deadline() const noexcept override;
  void on_deadline(TimePoint now) override;
  void drain() override;
  [[nodiscard]] std::size_t in_flight() const noexcept override;

 private:
  ///      ┌──────────────── request complete ───────────────┐
  ///      ▼                                                  │
  ///   kIdle ─first byte─▶ kHead ─head, body follows─▶ kLength | kChunks
  ///      │                  │                               │
  ///      └──────────────────┴── refused, last, or closing ──┴──▶ kDone (owed answers still leave)
  enum class Stage : unsigned char { kIdle, kHead, kLength, kChunks, kDone };

  /// An answer that is owed. What arrives before its turn waits here.
  struct Owed {
    ResponseFraming framing;
    std::optional<Response> response;
    std::vector<Slice> pieces;
    std::vector<std::shared_ptr<const void>> held;  // until the pieces are sent
    TimePoint answered_at{};
    bool head_sent = false;
    bool finished = false;
    bool aborted = false;
  };

  void on_answer(Answer answer) override;
  [[nodiscard]] std::optional<Refusal> on_chunk_size(std::uint64_t size) override;
  [[nodiscard]] std::optional<Refusal> on_chunk_bytes(std::string_view bytes) override;

  [[nodiscard]] std::size_t consume(std::span<const std::byte> bytes);
  [[nodiscard]] std::size_t consume_some(std::span<const std::byte> bytes);
  [[nodiscard]] std::size_t parse(std::span<const std::byte> bytes);
  void resume();
  void on_head(bool body_has_begun);
  [[nodiscard]] std::optional<Refusal> prepare_body();
  void complete();
  [[nodiscard]] Result<Slice> take_body();
  void dispatch(RequestHead head, Slice body);
  void refuse(const Refusal& refusal);
  void reject(const Refusal& refusal, bool closes);
  void stop_reading();

  [[nodiscard]] Owed& owe(bool closes);
  [[nodiscard]] std::size_t owed() const noexcept { return owed_.size() - owed_front_; }
  void release();
  [[nodiscard]] bool release_front();
  void pop_front();
  void send_continue();
  [[nodiscard]] bool paused() const noexcept;
  [[nodiscard]] bool in_message() const noexcept { return stage_ != Stage::kIdle && stage_ != Stage::kDone; }
  [[nodiscard]] TimePoint now() const noexcept { return context_.clock->now(); }

  SessionHost& host_;
  const TransportContext& context_;
  std::shared_ptr<Http1Link> link_;

  Stage stage_ = Stage::kIdle;
  std::optional<RequestParser> parser_;
  std::optional<RequestBody> body_;
  std::optional<Coding> coding_;
  Buffer input_;  // bytes not consumed yet: an unfinished line, or requests beyond the pipeline
  std::size_t chunks_ = 0;
  TimePoint head_started_{};
  TimePoint last_bytes_{};
  TimePoint idle_since_ = kNever;  // set by the first tick that finds nothing to do
  bool consuming_ = false;
  bool owes_continue_ = false;
  bool peer_finished_ = false;
  bool draining_ = false;

  std::vector<Owed> owed_;
  std::size_t owed_front_ = 0;  // index of the oldest owed answer
  std::uint64_t front_sequence_ = 0;
};

}  // namespace protean
