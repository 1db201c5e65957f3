// SPDX-License-Identifier: Apache-2.0
// Complete requests on their way to the request path, and the events of gRPC streams. Runs at the end of a
// turn, outside nghttp2, so that handlers may answer at once.
#include <utility>

#include "transport/http2/session.h"
#include "transport/transport_metrics.h"

namespace protean::http2 {

void Http2Session::queue(Stream& stream) {
  if (!std::exchange(stream.queued, true)) queue_.push_back(stream.id);
}

void Http2Session::dispatch() {
  if (queue_.empty()) return;
  now_ = host_.context().clock->now();
  // Handlers may queue more: the list grows while it is walked.
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    Stream* stream = find(queue_[i]);
    if (stream == nullptr) continue;  // closed since: nobody waits for it
    stream->queued = false;
    if (stream->phase == Phase::kQueued) {
      hand_out(*stream);
    } else if (stream->phase == Phase::kMessages) {
      serve_messages(*stream);
    }
  }
  queue_.clear();
}

void Http2Session::hand_out(Stream& stream) {
  auto body = unpack_body(stream);
  if (!body) {
    if (stream.is_grpc) return refuse_call(stream, body.error());
    const Code code = body.error().code;
    const std::string_view cause = code == Code::kResourceExhausted ? "body_too_large"
                                   : code == Code::kUnavailable     ? "memory"
                                                                    : "malformed";
    return refuse(stream, {content_coding_status(code), body.error().message, cause});
  }
  stream.phase = Phase::kHandled;
  stream.answer_coding.as_is = host_.context().keeps_coding;
  auto exchange =
      std::make_shared<WholeExchange>(mailbox_, stream.id, std::move(stream.reader.head), stream.answer_coding);
  exchange->complete(*std::move(body), now_);
  stream.whole = exchange;
  host_.context().handler->on_exchange(std::move(exchange));
}

grpc::MessageRules Http2Session::message_rules(const Stream& stream) const noexcept {
  return {stream.coding, limits().body_bytes_max, host_.context().memory};
}

std::size_t Http2Session::body_bytes_max(const Stream& stream) const noexcept {
  return limits().body_bytes_max + (stream.is_grpc ? grpc::kPrefixBytes : 0);
}

Result<Slice> Http2Session::unpack_body(Stream& stream) {
  Slice body = stream.body.take();
  if (stream.is_grpc) return grpc::unpack_unary(message_rules(stream), body);
  if (!stream.coding || body.empty()) return body;
  return grpc::decode_held(*stream.coding, body, message_rules(stream));
}

void Http2Session::open_messages(Stream& stream) {
  auto exchange =
      std::make_shared<StreamExchange>(mailbox_, stream.id, std::move(stream.reader.head), stream.answer_coding);
  stream.messages = exchange;
  auto handler = host_.context().handler->on_stream(std::move(exchange));
  if (stream.phase == Phase::kMessages) stream.handler = std::move(handler);
}

/// Tells the handler what it has asked for, as long as there is something to tell.
void Http2Session::serve_messages(Stream& stream) {
  if (stream.delivering) return;
  stream.delivering = true;
  if (!stream.opened) {
    stream.opened = true;
    open_messages(stream);
  }
  while (stream.phase == Phase::kMessages && stream.handler) {
    const auto handler = stream.handler;  // it may end the call from inside
    grpc::MessageReader& reader = *stream.message_reader;
    if (reader.ready()) {
      auto message = reader.take();
      if (!message) {
        refuse_call(stream, message.error());
        break;
      }
      stream.busy = true;
      handler->on_message(*std::move(message));
    } else if (stream.request_ended && reader.asked()) {
      if (!reader.at_boundary()) {
        refuse_call(stream, {Code::kInternal, "request ends inside a message", std::source_location::current()});
        break;
      }
      reader.withdraw();
      handler->on_half_close();
    } else {
      break;
    }
  }
  stream.delivering = false;
}

void Http2Session::want_message(Stream& stream) {
  if (stream.phase != Phase::kMessages || stream.message_reader->asked()) return;
  stream.busy = false;
  stream.message_reader->ask();
  open_window(stream);
  queue(stream);
}

void Http2Session::cancel_exchange(Stream& stream) {
  if (const auto whole = stream.whole.lock()) whole->cancel();
  if (const auto messages = stream.messages.lock()) messages->cancel();
  if (stream.handler) left_.push_back(std::move(stream.handler));
}

void Http2Session::tell_handlers_left() {
  while (!left_.empty()) {
    const auto handlers = std::exchange(left_, {});
    for (const auto& handler : handlers) handler->on_cancel();
  }
}

}  // namespace protean::http2
