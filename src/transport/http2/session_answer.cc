// SPDX-License-Identifier: Apache-2.0
// Answers on their way to the peer: heads, bodies that flow control lets go piece by piece, gRPC trailers.
#include <string>
#include <utility>

#include "base/text.h"
#include "transport/error_response.h"
#include "transport/grpc/wire.h"
#include "transport/http2/session.h"
#include "transport/http_date.h"
#include "transport/transport_metrics.h"

namespace protean::http2 {
namespace {

constexpr std::string_view kGrpcContentType = "application/grpc";
/// Trailers must fit what peers take for a field list.
constexpr std::size_t kStatusMessageBytesMax = 4096;
/// How many PINGs and the like one answer makes up for.
constexpr double kControlPerAnswer = 8;
/// How long a client that is still sending has to take notice of its answer.
constexpr std::chrono::seconds kStopGrace{1};

std::string_view clipped(std::string_view message) noexcept { return message.substr(0, kStatusMessageBytesMax); }

bool has_body(int status) noexcept { return status >= 200 && status != 204 && status != 304; }

}  // namespace

std::string body_too_large(std::uint64_t bytes, std::size_t bytes_max) {
  return "request body: " + std::to_string(bytes) + " bytes, expected at most " + std::to_string(bytes_max) +
         " (body-bytes-max)";
}

/// Answered by the session itself; the rest of the request is dropped.
void Http2Session::refuse(Stream& stream, Refusal refusal) {
  host_.context().metrics->refused(refusal.cause);
  if (stream.is_grpc) {
    return refuse_call(stream, {grpc::code_of_http_status(refusal.status).value_or(Code::kUnknown),
                                std::move(refusal.message), std::source_location::current()});
  }
  stream.phase = Phase::kRefused;
  stream.body.drop();
  cancel_exchange(stream);
  Response response = error_response(refusal.status, refusal.message);
  if (!refusal.header.first.empty()) response.headers.emplace_back(refusal.header);
  answer(stream, std::move(response), false);
}

void Http2Session::refuse_call(Stream& stream, const Error& error) {
  stream.phase = Phase::kRefused;
  stream.body.drop();
  cancel_exchange(stream);
  end_grpc_answer(stream, error.code, error.message);
}

void Http2Session::answer(Stream& stream, Response response, bool compressed) {
  if (stream.answered) return;
  if (stream.is_grpc) {
    answer_grpc(stream, std::move(response), compressed);
  } else {
    answer_http(stream, std::move(response), true);
  }
}

void Http2Session::answer_http(Stream& stream, Response response, bool whole) {
  const bool body_allowed = has_body(response.status);
  const std::size_t size = response.body_size();
  const std::string length = std::to_string(size);
  fields_.clear();
  fields_.add(":status", status_digits(response.status));
  fields_.add_all(response.headers);
  if (whole && body_allowed) fields_.add("content-length", length);
  fields_.add("date", http_date_now());
  if (body_allowed && !stream.is_head) {
    for (auto& part : response.body) stream.out.push(std::move(part));
    stream.out.hold(std::move(response.until_sent));
  }
  if (whole || !body_allowed || stream.is_head) stream.out.close();
  submit_head(stream, stream.out.size() > 0 || !stream.out.closed());
}

void Http2Session::answer_grpc(Stream& stream, Response response, bool compressed) {
  const auto code = response.grpc_code ? response.grpc_code : grpc::code_of_http_status(response.status);
  if (code) {
    begin_trailers_only(stream, code, response);
    return;
  }
  if (response.body_size() > UINT32_MAX) {
    return end_grpc_answer(stream, Code::kResourceExhausted, "answer of 4 GiB or more: gRPC messages are smaller");
  }
  begin_grpc_answer(stream, response, compressed);
  stream.out.push_message(std::move(response.body), compressed);
  stream.out.close();
  submit_head(stream, true);
}

/// The field list of an answer with messages; submit_head() sends it.
void Http2Session::begin_grpc_answer(Stream& stream, const Response& response, bool compressed) {
  fields_.clear();
  fields_.add_static(":status", "200");
  fields_.add_static("content-type", kGrpcContentType);
  if (compressed || stream.answer_coding.grpc_gzip) fields_.add_static("grpc-encoding", "gzip");
  fields_.add_metadata(response.headers);
}

void Http2Session::begin_trailers_only(Stream& stream, std::optional<Code> code, const Response& response) {
  const std::string message = grpc::percent_encode(clipped(response.grpc_message));
  fields_.clear();
  fields_.add_static(":status", "200");
  fields_.add_static("content-type", kGrpcContentType);
  fields_.add_static("grpc-status", grpc::status_text(code));
  if (!message.empty()) fields_.add("grpc-message", message);
  if (code == Code::kUnimplemented) fields_.add_static("grpc-accept-encoding", grpc::kAcceptedEncodings);
  fields_.add_metadata(response.headers);
  stream.out.close();
  submit_head(stream, false);
}

/// Ends a call with a status: as trailers behind what has been sent, or alone.
void Http2Session::end_grpc_answer(Stream& stream, std::optional<Code> code, std::string_view message) {
  if (stream.out.closed()) return;
  if (!stream.answered) {
    Response response;
    response.grpc_message = message;
    return begin_trailers_only(stream, code, response);
  }
  stream.status = code;
  stream.status_message = grpc::percent_encode(clipped(message));
  stream.out.close();
  resume(stream);
}

void Http2Session::submit_trailers(const Stream& stream) {
  fields_.clear();
  fields_.add_static("grpc-status", grpc::status_text(stream.status));
  if (!stream.status_message.empty()) fields_.add("grpc-message", stream.status_message);
  const auto fields = fields_.view();
  if (nghttp2_submit_trailer(engine_.get(), stream.id, fields.data(), fields.size()) != 0) {
    reset(*find(stream.id), NGHTTP2_INTERNAL_ERROR);
  }
}

void Http2Session::submit_head(Stream& stream, bool with_body) {
  stream.answered = true;
  const nghttp2_data_provider provider = body_provider();
  const auto fields = fields_.view();
  const int failed =
      nghttp2_submit_response(engine_.get(), stream.id, fields.data(), fields.size(), with_body ? &provider : nullptr);
  if (failed != 0) reset(stream, NGHTTP2_INTERNAL_ERROR);
}

void Http2Session::start_pieces(Stream& stream, Response response) {
  if (stream.answered) return;
  if (stream.is_grpc) {
    stream.pending = std::move(response);  // one message, whatever pieces it comes in
  } else {
    answer_http(stream, std::move(response), false);
  }
}

void Http2Session::write_piece(Stream& stream, Response response) {
  if (stream.is_grpc) {
    for (auto& part : response.body) stream.pending.body.push_back(std::move(part));
    return;
  }
  if (!stream.answered || stream.out.closed() || out_of_bounds(stream)) return;
  for (auto& part : response.body) stream.out.push(std::move(part));
  stream.out.hold(std::move(response.until_sent));
  resume(stream);
}

void Http2Session::finish_pieces(Stream& stream) {
  if (stream.is_grpc) return answer(stream, std::move(stream.pending), false);
  if (!stream.answered) return;
  stream.out.close();
  resume(stream);
}

void Http2Session::send_message(Stream& stream, Response message, bool compressed) {
  if (stream.phase != Phase::kMessages || stream.out.closed() || out_of_bounds(stream)) return;
  stream.busy = false;
  if (message.body_size() > UINT32_MAX) {
    return refuse_call(stream, {Code::kResourceExhausted, "message of 4 GiB or more: gRPC messages are smaller",
                                std::source_location::current()});
  }
  const bool first = !stream.answered;
  if (first) begin_grpc_answer(stream, message, compressed);
  stream.out.push_message(std::move(message.body), compressed);
  stream.out.hold(std::move(message.until_sent));
  first ? submit_head(stream, true) : resume(stream);
}

void Http2Session::end_messages(Stream& stream, const Response& status) {
  if (stream.phase != Phase::kMessages) return;
  stream.phase = Phase::kHandled;
  stream.handler.reset();
  end_grpc_answer(stream, status.grpc_code, status.grpc_message);
}

/// The last holder let go: the client must not wait for an answer that nobody will give.
void Http2Session::drop_unanswered(Stream& stream) {
  if (stream.out.closed()) return;
  if (stream.is_grpc) {
    return refuse_call(stream,
                       {Code::kInternal, "request was dropped without an answer", std::source_location::current()});
  }
  if (stream.answered) return reset(stream, NGHTTP2_INTERNAL_ERROR);
  answer(stream, error_response(500, "request was dropped without an answer"), false);
}

void Http2Session::resume(Stream& stream) {
  if (std::exchange(stream.deferred, false)) nghttp2_session_resume_data(engine_.get(), stream.id);
}

void Http2Session::reset(Stream& stream, std::uint32_t error_code) {
  stream.phase = Phase::kRefused;
  stream.body.drop();
  cancel_exchange(stream);
  nghttp2_submit_rst_stream(engine_.get(), NGHTTP2_FLAG_NONE, stream.id, error_code);
}

/// True, and the stream is gone, when its client takes nothing while more and more is written for it.
bool Http2Session::out_of_bounds(Stream& stream) {
  if (stream.out.size() <= limits().output_bytes_max) return false;
  host_.context().metrics->refused("client_left");
  reset(stream, NGHTTP2_CANCEL);
  return true;
}

ssize_t Http2Session::read_body(std::int32_t stream_id, std::size_t size_max, std::uint32_t& flags) {
  Stream* stream = find(stream_id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const std::size_t available = stream->out.size();
  if (available == 0 && !stream->out.closed()) {
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t count = std::min(size_max, available);
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (count == available && stream->out.closed()) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->is_grpc) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_trailers(*stream);
    }
  }
  return static_cast<ssize_t>(count);
}

int Http2Session::send_body(std::int32_t stream_id, std::string_view frame_head, std::size_t size) {
  OutputQueue& output = host_.output();
  if (output.size() >= output_bytes_high()) return NGHTTP2_ERR_WOULDBLOCK;
  Stream* stream = find(stream_id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  output.append_copy(frame_head);
  stream->out.move_to(output, size);
  stream->touched = now_;
  return 0;
}

/// A peer whose requests we must reset again and again is as costly as one that resets them itself.
void Http2Session::on_reset_sent(std::int32_t stream_id, std::uint32_t error_code) {
  closed_.reset_by_us(stream_id);
  const bool our_wish = error_code == NGHTTP2_NO_ERROR || error_code == NGHTTP2_CANCEL;
  if (!our_wish && !reset_guard_.allow(now_)) violation_ = NGHTTP2_ENHANCE_YOUR_CALM;
}

int Http2Session::on_frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY && frame.goaway.error_code != NGHTTP2_NO_ERROR) {
    host_.context().metrics->refused("malformed");
  }
  if (frame.hd.type == NGHTTP2_RST_STREAM) on_reset_sent(frame.hd.stream_id, frame.rst_stream.error_code);
  const bool carries_answer = frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA;
  if (!carries_answer || (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  Stream* stream = find(frame.hd.stream_id);
  if (stream == nullptr) return 0;
  stream->end_sent = true;
  control_guard_.refund(kControlPerAnswer);
  if (stream->write_time) host_.output().observe_sent(std::move(stream->write_time), stream->answered_at);
  // The rest of the request is of no use to anybody (RFC 9113 8.1).
  if (stream->request_ended) return 0;
  if (!stream->is_grpc) {
    // Some clients drop an answer that a RST_STREAM follows at once (curl 7.88 does): they get time to read it, while
    // the closed window keeps them from sending much more.
    stream->stop_at = now_ + kStopGrace;
    watch_at_ = std::min(watch_at_, stream->stop_at);
    return 0;
  }
  return nghttp2_submit_rst_stream(engine_.get(), NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_NO_ERROR);
}

}  // namespace protean::http2
