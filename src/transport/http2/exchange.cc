// SPDX-License-Identifier: Apache-2.0
// Handles for the request path: see the header. Compression happens here, on the thread that answers.
#include "transport/http2/exchange.h"

#include <utility>

#include "transport/content_coding.h"

namespace protean::http2 {
namespace {

/// Messages below this many bytes do not get smaller by gzip.
constexpr std::size_t kCompressBytesMin = 256;

bool compress_message(AnswerCoding coding, Response& response) {
  if (!coding.grpc_gzip || response.grpc_code || response.body_size() < kCompressBytesMin) return false;
  Slice coded = encode_body(Coding::kGzip, response.body);
  response.body.clear();
  response.body.push_back(std::move(coded));
  return true;
}

}  // namespace

StreamHandle::StreamHandle(std::shared_ptr<StreamMailbox> mailbox, std::int32_t stream_id, RequestHead head)
    : mailbox_(std::move(mailbox)), stream_id_(stream_id), head_(std::move(head)) {
  mailbox_->count_exchange(1);
}

StreamHandle::~StreamHandle() {
  mailbox_->count_exchange(-1);
  if (state() != State::kDone) send(CommandKind::kDropped);
}

void StreamHandle::listen(std::function<void()> leave) {
  if (listener_ != 0) signal_.forget(listener_);
  listener_ = signal_.listen(std::move(leave));
}

void StreamHandle::send(CommandKind kind, Response response, bool compressed) {
  const TimePoint at = response.write_time ? mailbox_->clock().now() : TimePoint{};
  mailbox_->send({kind, stream_id_, compressed, at, std::move(response)});
}

WholeExchange::WholeExchange(std::shared_ptr<StreamMailbox> mailbox, std::int32_t stream_id, RequestHead head,
                             AnswerCoding coding)
    : StreamHandle(std::move(mailbox), stream_id, std::move(head)), coding_(coding) {}

void WholeExchange::complete(Slice body, TimePoint at) {
  body_ = std::move(body);
  complete_at_ = at;
}

void WholeExchange::respond(Response response) {
  if (!advance(State::kOpen, State::kDone) || cancelled()) return;
  bool compressed = false;
  if (head_.wire == Wire::kGrpc) {
    compressed = compress_message(coding_, response);
  } else if (!coding_.as_is) {
    encode_response(head_, response);
  }
  StreamHandle::send(CommandKind::kRespond, std::move(response), compressed);
}

void WholeExchange::start(Response head) {
  if (!advance(State::kOpen, State::kStarted)) return;
  StreamHandle::send(CommandKind::kStart, std::move(head));
}

void WholeExchange::write(Slice piece, std::shared_ptr<const void> until_sent) {
  if (state() != State::kStarted || piece.empty()) return;
  Response response;
  response.body.push_back(std::move(piece));
  response.until_sent = std::move(until_sent);
  StreamHandle::send(CommandKind::kWrite, std::move(response));
}

void WholeExchange::finish() {
  if (advance(State::kStarted, State::kDone)) StreamHandle::send(CommandKind::kFinish);
}

StreamExchange::StreamExchange(std::shared_ptr<StreamMailbox> mailbox, std::int32_t stream_id, RequestHead head,
                               AnswerCoding coding)
    : StreamHandle(std::move(mailbox), stream_id, std::move(head)), coding_(coding) {}

void StreamExchange::send(Response message) {
  if (state() == State::kDone) return;
  const bool compressed = compress_message(coding_, message);
  StreamHandle::send(CommandKind::kSendMessage, std::move(message), compressed);
}

void StreamExchange::next() {
  if (state() != State::kDone) StreamHandle::send(CommandKind::kNextMessage);
}

void StreamExchange::finish(std::optional<Code> code, std::string message) {
  if (!advance(State::kOpen, State::kDone)) return;
  Response response;
  response.grpc_code = code;
  response.grpc_message = std::move(message);
  StreamHandle::send(CommandKind::kEndStream, std::move(response));
}

}  // namespace protean::http2
