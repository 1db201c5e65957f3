// SPDX-License-Identifier: Apache-2.0
// All that a session knows of one open stream. The session's files share it; nobody else sees it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/exchange.h"
#include "transport/content_coding.h"
#include "transport/grpc/message_reader.h"
#include "transport/http2/body_collector.h"
#include "transport/http2/exchange.h"
#include "transport/http2/head_reader.h"
#include "transport/http2/outbound.h"

namespace protean::http2 {

/// The request side.
///  kHead ──▶ kBody ──▶ kQueued ──▶ kHandled      whole requests: kQueued waits for the end of the read
///    │                    ▲
///    └──▶ kMessages       │                      gRPC streams stay in kMessages
///    └────────────────────┘ (no body)
/// From any of them to kRefused: answered by the session itself; what still comes is dropped.
enum class Phase : unsigned char { kHead, kBody, kMessages, kQueued, kHandled, kRefused };

struct Stream {
  Stream(std::int32_t stream_id, MemoryBudget& budget) : id(stream_id), body(budget) {}

  const std::int32_t id;
  std::size_t index = 0;  // in the session's list of open streams
  Phase phase = Phase::kHead;
  bool is_grpc = false;
  bool is_head = false;        // method HEAD: the answer has no body
  bool request_ended = false;  // END_STREAM received
  bool answered = false;       // the answer's head has been submitted
  bool end_sent = false;       // END_STREAM sent
  TimePoint stop_at = kNever;  // when a client that has its answer and still sends is told to stop
  bool queued = false;         // in the session's list of streams to look after
  bool deferred = false;       // the framing layer waits for resume
  bool opened = false;         // on_stream() has been called
  bool delivering = false;     // on_message() is on the stack
  bool busy = false;           // a message was handed out and nothing has been sent or asked for since
  AnswerCoding answer_coding;
  std::optional<Coding> coding;  // of the request: content-encoding or grpc-encoding
  TimePoint touched{};           // last byte received or sent
  TimePoint deadline = kNever;   // from grpc-timeout

  HeadReader reader;
  BodyCollector body;
  std::weak_ptr<WholeExchange> whole;
  std::weak_ptr<StreamExchange> messages;
  std::shared_ptr<MessageStreamHandler> handler;  // of kMessages, once opened
  std::unique_ptr<grpc::MessageReader> message_reader;
  std::size_t window_held = 0;  // bytes of the peer's window that stay closed

  Outbound out;
  Response pending;            // unary gRPC answered in pieces: collected until finish()
  std::optional<Code> status;  // of the trailers
  std::string status_message;  // percent-encoded
  std::shared_ptr<metrics::Histogram> write_time;
  TimePoint answered_at{};

  [[nodiscard]] bool waits_for_client() const noexcept {
    return out.size() > 0 || (!request_ended && (phase == Phase::kBody || inside_message()));
  }
  [[nodiscard]] bool inside_message() const noexcept {
    return phase == Phase::kMessages && message_reader->asked() && !message_reader->at_boundary();
  }
};

}  // namespace protean::http2
