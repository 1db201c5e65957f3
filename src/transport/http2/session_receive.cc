// SPDX-License-Identifier: Apache-2.0
// What the peer sends: frames become streams, heads and bodies. Everything here runs inside nghttp2's
// callbacks, so nothing here calls the request path: complete requests are queued for the end of the turn.
#include <string>
#include <utility>

#include "transport/grpc/wire.h"
#include "transport/http2/session.h"
#include "transport/transport_metrics.h"

namespace protean::http2 {
namespace {

/// Exchanges that somebody works on may outnumber the open streams (a peer that resets what it asked for)
/// by this factor of the stream limit; then new streams are refused.
constexpr std::size_t kExchangesPerStream = 2;

bool ends_stream(const nghttp2_frame_hd& head) noexcept { return (head.flags & NGHTTP2_FLAG_END_STREAM) != 0; }

}  // namespace

/// Looks at each frame head first, then lets nghttp2 have the bytes. The state of streams is up to date where
/// that matters: only RST_STREAM closes one while bytes are read, so behind one nghttp2 catches up first.
void Http2Session::receive(std::span<const std::byte> bytes) {
  std::size_t fed = 0;
  bool reset_seen = false;
  for (std::size_t at = 0; at < bytes.size() && violation_ == NGHTTP2_NO_ERROR;) {
    const auto head = scanner_.next(bytes, at);
    if (!head) break;
    reset_seen = reset_seen || head->type == NGHTTP2_RST_STREAM;
    std::uint32_t verdict = charge(*head) ? NGHTTP2_NO_ERROR : NGHTTP2_ENHANCE_YOUR_CALM;
    if (head->type == NGHTTP2_DATA) {
      if (reset_seen) {
        feed(bytes.subspan(fed, at - 1 - fed));  // all but the last byte of this head
        fed = at - 1;
        reset_seen = false;
      }
      if (verdict == NGHTTP2_NO_ERROR) verdict = verdict_on(head->stream_id);
    }
    if (verdict != NGHTTP2_NO_ERROR && violation_ == NGHTTP2_NO_ERROR) {
      feed(bytes.subspan(fed, at - 1 - fed));
      violation_ = verdict;
    }
  }
  if (violation_ == NGHTTP2_NO_ERROR) feed(bytes.subspan(fed));
}

void Http2Session::feed(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const ssize_t used = nghttp2_session_mem_recv(engine_.get(), data, bytes.size());
  if (used >= 0 || violation_ != NGHTTP2_NO_ERROR) return;
  violation_ = used == NGHTTP2_ERR_FLOODED            ? NGHTTP2_ENHANCE_YOUR_CALM
               : used == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                                                      : NGHTTP2_INTERNAL_ERROR;
}

/// False when the peer has sent too many frames that cost it nothing.
bool Http2Session::charge(const FrameHead& head) noexcept {
  switch (head.type) {
    case NGHTTP2_DATA:
      if (head.length > 0 || (head.flags & NGHTTP2_FLAG_END_STREAM) != 0) return true;
      break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_WINDOW_UPDATE: return true;  // bounded by streams, field lists and bytes sent
    default: break;
  }
  return control_guard_.allow(now_);
}

/// The connection error that HEADERS or DATA for this stream amounts to, if any.
std::uint32_t Http2Session::verdict_on(std::int32_t stream_id) noexcept {
  const std::uint32_t verdict = closed_.verdict(stream_id);
  return verdict != NGHTTP2_NO_ERROR && find(stream_id) == nullptr ? verdict : std::uint32_t{NGHTTP2_NO_ERROR};
}

int Http2Session::on_begin_frame(const nghttp2_frame_hd& head) {
  if (head.type != NGHTTP2_HEADERS) return 0;
  const std::uint32_t error_code = verdict_on(head.stream_id);
  return error_code == NGHTTP2_NO_ERROR ? 0 : violate(error_code);
}

int Http2Session::on_begin_headers(const nghttp2_frame& frame) {
  head_deadline_ = now_ + limits().header_time_max;
  if (frame.hd.type != NGHTTP2_HEADERS || frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  closed_.opened(frame.hd.stream_id);
  if (std::cmp_greater_equal(mailbox_->exchanges(), kExchangesPerStream * limits().streams_max)) {
    return nghttp2_submit_rst_stream(engine_.get(), NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_REFUSED_STREAM);
  }
  auto stream = std::make_unique<Stream>(frame.hd.stream_id, *host_.context().memory);
  stream->index = streams_.size();
  stream->touched = now_;
  stream->reader.head.received_at = now_;
  nghttp2_session_set_stream_user_data(engine_.get(), stream->id, stream.get());
  recent_ = stream.get();
  streams_.push_back(std::move(stream));
  idle_deadline_ = kNever;
  watch_streams();
  return 0;
}

int Http2Session::on_field(const nghttp2_frame& frame, std::string_view name, std::string_view value) {
  if (frame.hd.type != NGHTTP2_HEADERS || frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // trailers
  if (Stream* stream = find(frame.hd.stream_id)) stream->reader.add(name, value, limits().header_bytes_max);
  return 0;
}

/// nghttp2 would leave such a field out; a request that is not what it seems is refused instead.
int Http2Session::on_invalid_field(std::int32_t stream_id) {
  if (Stream* stream = find(stream_id)) reset(*stream, NGHTTP2_PROTOCOL_ERROR);
  return 0;
}

int Http2Session::on_frame(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA: {
      if (frame.hd.type == NGHTTP2_HEADERS) head_deadline_ = kNever;
      Stream* stream = find(frame.hd.stream_id);
      if (stream == nullptr) return 0;
      if (stream->phase == Phase::kHead) on_head(*stream, ends_stream(frame.hd));
      if (ends_stream(frame.hd)) on_request_end(*stream);
      return 0;
    }
    case NGHTTP2_SETTINGS: head_deadline_ = kNever; return 0;
    case NGHTTP2_PING:
      if (draining_ && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) finish_drain();
      return 0;
    default: return 0;
  }
}

void Http2Session::on_head(Stream& stream, bool ended) {
  RequestHead& head = stream.reader.head;
  stream.is_head = head.method == "HEAD";
  stream.touched = now_;
  head.wire = Wire::kHttp2;
  const HeadProblem problem = stream.reader.finish(host_.is_tls(), limits().header_bytes_max);
  if (problem.status != 0) {
    return refuse(stream, {problem.status, problem.message, problem.status == 431 ? "head_too_large" : "malformed"});
  }
  head.peer = host_.peer();
  head.dialect = host_.dialect();
  switch (grpc::classify_content_type(stream.reader.content_type())) {
    case grpc::ContentType::kOther: break;
    case grpc::ContentType::kUnsupported:
      return refuse(stream, {415, "content-type: expected application/grpc or application/grpc+proto", "malformed"});
    case grpc::ContentType::kGrpc:
      if (head.method != "POST") {
        return refuse(stream, {405, "gRPC call: expected method POST", "malformed", {"allow", "POST"}});
      }
      if (!begin_grpc(stream)) return;
      break;
  }
  if (stream.is_grpc && host_.context().handler->body_mode(head) == BodyMode::kMessages) {
    stream.phase = Phase::kMessages;
    stream.message_reader = std::make_unique<grpc::MessageReader>(message_rules(stream));
    queue(stream);
  } else {
    begin_body(stream, ended);
  }
}

/// False when the call has been refused.
bool Http2Session::begin_grpc(Stream& stream) {
  RequestHead& head = stream.reader.head;
  stream.is_grpc = true;
  head.wire = Wire::kGrpc;
  if (const auto timeout = head.headers.find("grpc-timeout")) {
    const auto duration = grpc::parse_timeout(*timeout);
    if (!duration) {
      refuse_call(stream, duration.error());
      return false;
    }
    head.deadline = head.received_at + *duration;
    stream.deadline = head.deadline;
    arm_call_timer(stream.deadline);
  }
  if (const auto encoding = head.headers.find("grpc-encoding")) {
    const auto coding = grpc::parse_encoding(*encoding);
    if (!coding) {
      refuse_call(stream, coding.error());
      return false;
    }
    stream.coding = *coding;
    stream.answer_coding.grpc_gzip =
        stream.coding == Coding::kGzip && grpc::accepts_gzip(head.headers.find("grpc-accept-encoding").value_or(""));
  }
  return true;
}

void Http2Session::begin_body(Stream& stream, bool ended) {
  stream.phase = Phase::kBody;
  const auto& length = stream.reader.content_length;
  const std::size_t bytes_max = body_bytes_max(stream);
  if (length && *length > bytes_max) {
    return refuse(stream, {413, body_too_large(*length, bytes_max), "body_too_large"});
  }
  if (!stream.is_grpc && !host_.context().keeps_coding) {
    const auto coding = parse_content_encoding(stream.reader.head.headers.find("content-encoding").value_or(""));
    if (!coding) {
      return refuse(stream, {content_coding_status(coding.error().code),
                             coding.error().message,
                             "malformed",
                             {"accept-encoding", kAcceptedCodings}});
    }
    stream.coding = *coding;
  }
  stream.body.expect(static_cast<std::size_t>(length.value_or(0)));
  if (stream.reader.expects_continue && !ended) {
    fields_.clear();
    fields_.add_static(":status", "100");
    const auto fields = fields_.view();
    nghttp2_submit_headers(engine_.get(), NGHTTP2_FLAG_NONE, stream.id, nullptr, fields.data(), fields.size(), nullptr);
  }
}

void Http2Session::on_request_end(Stream& stream) {
  stream.request_ended = true;
  if (stream.phase == Phase::kBody) stream.phase = Phase::kQueued;
  if (stream.phase == Phase::kQueued || stream.phase == Phase::kMessages) queue(stream);
}

int Http2Session::on_data(std::int32_t stream_id, std::span<const std::byte> bytes) {
  Stream* stream = find(stream_id);
  if (stream != nullptr && stream->phase == Phase::kMessages) {
    take_messages(*stream, bytes);
    return nghttp2_session_consume_connection(engine_.get(), bytes.size());
  }
  if (stream != nullptr && stream->phase == Phase::kBody) take_body(*stream, bytes);
  if (stream == nullptr || stream->phase == Phase::kRefused) {
    return nghttp2_session_consume_connection(engine_.get(), bytes.size());
  }
  return nghttp2_session_consume(engine_.get(), stream_id, bytes.size());
}

void Http2Session::take_body(Stream& stream, std::span<const std::byte> bytes) {
  stream.touched = now_;
  const std::size_t bytes_max = body_bytes_max(stream);
  if (stream.is_grpc && stream.body.size() == 0 && bytes.size() >= grpc::kPrefixBytes) {
    const auto prefix = grpc::decode_prefix(bytes.first<grpc::kPrefixBytes>());
    const std::size_t announced = grpc::kPrefixBytes + (prefix ? prefix->length : 0);
    if (announced > bytes_max) {
      return refuse(stream,
                    {413, body_too_large(announced - grpc::kPrefixBytes, limits().body_bytes_max), "body_too_large"});
    }
    stream.body.expect(announced);
  }
  switch (stream.body.add(bytes, bytes_max)) {
    case BodyCollector::Added::kOk: return;
    case BodyCollector::Added::kTooLarge:
      return refuse(stream, {413, body_too_large(stream.body.size() + bytes.size(), bytes_max), "body_too_large"});
    case BodyCollector::Added::kNoMemory:
      return refuse(stream, {503, "request body: no memory left for it now, try again later", "memory"});
  }
}

void Http2Session::take_messages(Stream& stream, std::span<const std::byte> bytes) {
  stream.touched = now_;
  stream.message_reader->feed(bytes);
  stream.window_held += bytes.size();
  open_window(stream);
  if (stream.message_reader->ready()) queue(stream);
}

/// Lets the peer send as much as has been taken off the stream; what nobody asked for keeps it waiting.
void Http2Session::open_window(Stream& stream) {
  const std::size_t keep = stream.message_reader->unasked_bytes();
  if (stream.window_held <= keep) return;
  nghttp2_session_consume_stream(engine_.get(), stream.id, stream.window_held - keep);
  stream.window_held = keep;
}

int Http2Session::on_stream_close(std::int32_t stream_id) {
  Stream* stream = find(stream_id);
  if (stream == nullptr) return 0;
  if (!stream->end_sent && stream->phase != Phase::kRefused) host_.context().metrics->refused("client_left");
  cancel_exchange(*stream);
  closed_.closed(stream_id);
  nghttp2_session_set_stream_user_data(engine_.get(), stream_id, nullptr);
  recent_ = nullptr;
  const std::size_t index = stream->index;
  std::swap(streams_[index], streams_.back());
  streams_[index]->index = index;
  streams_.pop_back();
  if (streams_.empty()) {
    idle_deadline_ = now_ + limits().idle_time_max;
    watch_at_ = kNever;
  }
  return 0;
}

}  // namespace protean::http2
