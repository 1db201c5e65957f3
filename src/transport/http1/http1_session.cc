// SPDX-License-Identifier: Apache-2.0
// The reading half comes first, the answering half after it. The handler is only ever called between two requests,
// never from inside the parser, so that an answer given at once finds the session in a plain state.
#include "transport/http1/http1_session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "transport/error_response.h"
#include "transport/session_factories.h"
#include "transport/transport_metrics.h"

namespace protean {
namespace {

/// Below this many missing bytes a body is read through the scratch memory: one copy costs less than one more recv().
constexpr std::size_t kTargetBytesMin = std::size_t{16} << 10;
/// Slots for owed answers that an idle connection may keep.
constexpr std::size_t kOwedKept = 2;

std::string bytes_text(std::size_t bytes) { return std::to_string(bytes) + " bytes"; }

Refusal memory_refusal() {
  return {503, "no memory for the request body: the bodies in flight reached their bound", "memory"};
}

}  // namespace

std::unique_ptr<Session> make_http1_session(SessionHost& host) { return std::make_unique<Http1Session>(host); }

Http1Session::Http1Session(SessionHost& host)
    : host_(host),
      context_(host.context()),
      link_(std::make_shared<Http1Link>(host.shared_from_this(), static_cast<AnswerSink*>(this))) {}

Http1Session::~Http1Session() { on_closed(); }

// ---- requests -------------------------------------------------------------------------------------------------------

std::span<std::byte> Http1Session::read_target() {
  if (stage_ != Stage::kLength || !input_.empty() || body_->rest() < kTargetBytesMin) return {};
  return body_->target();
}

std::size_t Http1Session::scratch_bytes_max() const noexcept {
  return stage_ == Stage::kChunks ? SIZE_MAX : kTargetBytesMin;
}

void Http1Session::on_target_filled(std::size_t count) {
  last_bytes_ = now();
  if (!body_->fill(count)) return refuse(memory_refusal());
  if (body_->rest() == 0) complete();
}

void Http1Session::on_bytes(std::span<const std::byte> bytes) {
  if (stage_ == Stage::kDone) return;
  last_bytes_ = now();
  if (!input_.empty()) {
    input_.append(bytes);
    resume();
    return;
  }
  const std::size_t used = consume(bytes);
  if (stage_ != Stage::kDone) input_.append(bytes.subspan(used));
}

void Http1Session::resume() {
  const Buffer input = std::move(input_);
  input_ = Buffer();
  const std::size_t used = consume(input.span());
  if (stage_ == Stage::kDone) return;
  input_.append(input.span().subspan(used));
  if (peer_finished_ && (input_.empty() || !paused())) stop_reading();
}

std::size_t Http1Session::consume(std::span<const std::byte> bytes) {
  consuming_ = true;
  std::size_t used = 0;
  while (used < bytes.size() && wants_read()) {
    const std::size_t count = consume_some(bytes.subspan(used));
    if (count == 0) break;
    used += count;
  }
  consuming_ = false;
  return used;
}

/// Returns 0 when it can do nothing before more bytes arrive.
std::size_t Http1Session::consume_some(std::span<const std::byte> bytes) {
  if (stage_ == Stage::kIdle) {
    // RFC 9112 2.2: empty lines before a request are ignored.
    const auto first = std::find_if(bytes.begin(), bytes.end(),
                                    [](std::byte b) { return b != std::byte{'\r'} && b != std::byte{'\n'}; });
    if (first != bytes.begin()) return static_cast<std::size_t>(first - bytes.begin());
    stage_ = Stage::kHead;
    head_started_ = last_bytes_;
    idle_since_ = kNever;
    parser_.emplace(context_.limits, static_cast<ChunkSink&>(*this), host_.is_tls());
  }
  if (stage_ != Stage::kLength) return parse(bytes);
  const std::size_t count = std::min(bytes.size(), body_->target().size());
  std::copy_n(bytes.begin(), count, body_->target().begin());
  if (!body_->fill(count)) {
    refuse(memory_refusal());
  } else if (body_->rest() == 0) {
    complete();
  }
  return count;
}

std::size_t Http1Session::parse(std::span<const std::byte> bytes) {
  const std::size_t count = parser_->put(bytes);
  if (parser_->refusal()) {
    refuse(*parser_->refusal());
  } else if (stage_ == Stage::kHead && parser_->head_done()) {
    on_head(count < bytes.size());
  } else if (stage_ == Stage::kChunks && parser_->body_done()) {
    complete();
  }
  return count;
}

void Http1Session::on_head(bool body_has_begun) {
  if (const auto refusal = prepare_body()) return refuse(*refusal);
  if (!body_) return complete();
  stage_ = parser_->is_chunked() ? Stage::kChunks : Stage::kLength;
  if (!parser_->expects_continue() || body_has_begun) return;
  owes_continue_ = true;
  if (owed() == 0) send_continue();
}

std::optional<Refusal> Http1Session::prepare_body() {
  const std::uint64_t announced = parser_->announced_bytes();
  if (announced == 0 && !parser_->is_chunked()) return std::nullopt;
  const std::size_t bytes_max = context_.limits.body_bytes_max;
  if (announced > bytes_max) {
    return Refusal{413,
                   "request body: content-length " + std::to_string(announced) + ", expected at most " +
                       bytes_text(bytes_max) + " (body-bytes-max)",
                   "body_too_large"};
  }
  coding_.reset();
  const auto field = parser_->head().headers.find("content-encoding");
  if (field && !context_.keeps_coding) {
    auto coding = parse_content_encoding(*field);
    if (!coding) return Refusal{content_coding_status(coding.error().code), coding.error().message, "unsupported"};
    coding_ = *coding;
  }
  chunks_ = 0;
  body_.emplace(*context_.memory, bytes_max);
  if (!body_->announce(announced)) return memory_refusal();
  return std::nullopt;
}

std::optional<Refusal> Http1Session::on_chunk_size(std::uint64_t size) {
  const std::size_t bytes_max = context_.limits.body_bytes_max;
  if (size > bytes_max - body_->size()) {
    return Refusal{413, "request body: more than " + bytes_text(bytes_max) + " (body-bytes-max)", "body_too_large"};
  }
  if (++chunks_ > context_.limits.chunks_max && size != 0) {
    return Refusal{413,
                   "request body: more than " + std::to_string(context_.limits.chunks_max) + " chunks (chunks-max)",
                   "body_too_large"};
  }
  return std::nullopt;
}

std::optional<Refusal> Http1Session::on_chunk_bytes(std::string_view bytes) {
  if (!body_->append(bytes)) return memory_refusal();
  return std::nullopt;
}

void Http1Session::complete() {
  owes_continue_ = false;
  Slice body;
  if (body_) {
    auto taken = take_body();
    if (!taken) {
      const Error& error = taken.error();
      const int status = content_coding_status(error.code);
      const std::string_view cause = status == 413 ? "body_too_large" : status == 503 ? "memory" : "malformed";
      return reject({status, "request body: " + error.message, cause}, !parser_->stays_open());
    }
    body = *std::move(taken);
  }
  dispatch(std::move(parser_->head()), std::move(body));
}

Result<Slice> Http1Session::take_body() {
  Slice body = std::move(*body_).share();
  if (!coding_ || body.empty()) return body;
  auto decoded = decode_body(*coding_, body, context_.limits.body_bytes_max, &body_->reservation());
  // TensorFlow Serving goes on without a body that it cannot inflate.
  const bool broken = !decoded && decoded.error().code == Code::kInvalidArgument;
  if (broken && host_.dialect() == Dialect::kTensorflowServing) return Slice{};
  return decoded;
}

void Http1Session::dispatch(RequestHead head, Slice body) {
  head.wire = Wire::kHttp1;
  head.peer = host_.peer();
  head.dialect = host_.dialect();
  head.received_at = head_started_;
  const bool coded = body_ && coding_;
  Http1Exchange::Request request{std::move(head), std::move(body), coded ? now() : last_bytes_,
                                 front_sequence_ + owed()};
  static_cast<void>(owe(!parser_->stays_open()));
  std::shared_ptr<Exchange> exchange;
  if (body_) {
    exchange = std::make_shared<Http1Exchange>(link_, std::move(request), std::move(body_->reservation()));
  } else {
    exchange = std::make_shared<Http1Exchange>(link_, std::move(request));
  }
  const bool last = owed_.back().framing.closes;
  body_.reset();
  parser_.reset();
  stage_ = last ? Stage::kDone : Stage::kIdle;
  context_.handler->on_exchange(std::move(exchange));
}

void Http1Session::refuse(const Refusal& refusal) { reject(refusal, true); }

void Http1Session::reject(const Refusal& refusal, bool closes) {
  context_.metrics->refused(refusal.cause);
  if (refusal.status == Refusal::kNoAnswer) return stop_reading();
  Owed& owed = owe(closes);
  owed.response = error_response(refusal.status, refusal.message);
  if (refusal.status == 415) owed.response->headers.emplace_back("accept-encoding", kAcceptedCodings);
  owed.finished = true;
  stop_reading();
  if (!closes) stage_ = Stage::kIdle;
  release();
}

void Http1Session::stop_reading() {
  stage_ = Stage::kDone;
  owes_continue_ = false;
  parser_.reset();
  body_.reset();
  input_ = Buffer();
}

void Http1Session::on_peer_finished() {
  peer_finished_ = true;
  if (in_message()) context_.metrics->refused("client_left");
  if (in_message() || input_.empty()) stop_reading();
  if (context_.limits.half_close_cancels) link_->left.cancel();
}

// ---- answers --------------------------------------------------------------------------------------------------------

Http1Session::Owed& Http1Session::owe(bool closes) {
  Owed& owed = owed_.emplace_back();
  owed.framing.closes = closes;
  if (parser_) {
    owed.framing.http10 = parser_->is_http10();
    owed.framing.head_only = parser_->is_head_request();
  }
  return owed;
}

void Http1Session::on_answer(Answer answer) {
  const std::uint64_t at = answer.sequence - front_sequence_;
  if (at >= owed()) return;
  Owed& owed = owed_[owed_front_ + at];
  if (answer.response.until_sent) owed.held.push_back(std::move(answer.response.until_sent));
  switch (answer.kind) {
    case Answer::Kind::kStart:
      owed.framing.chunked = true;
      if (owed.framing.http10) owed.framing.closes = true;
      std::swap(owed.pieces, answer.response.body);
      [[fallthrough]];
    case Answer::Kind::kWhole:
      owed.finished = answer.kind == Answer::Kind::kWhole;
      owed.answered_at = answer.at;
      host_.count_answer(answer.response.refused);
      owed.response = std::move(answer.response);
      break;
    case Answer::Kind::kPiece:
      std::move(answer.response.body.begin(), answer.response.body.end(), std::back_inserter(owed.pieces));
      break;
    case Answer::Kind::kFinish: owed.finished = true; break;
    case Answer::Kind::kAbort: owed.finished = owed.aborted = true; break;
  }
  if (at == 0) release();
  if (!consuming_ && !input_.empty() && !paused()) resume();
  host_.flush_soon();
}

void Http1Session::release() {
  while (owed() > 0 && release_front()) pop_front();
  if (owes_continue_ && owed() == 0) send_continue();
}

/// Sends what may be sent of the oldest owed answer. True when that was all of it.
bool Http1Session::release_front() {
  Owed& front = owed_[owed_front_];
  if (!front.response) return false;
  OutputQueue& output = host_.output();
  if (!std::exchange(front.head_sent, true)) {
    if (draining_ && stage_ == Stage::kIdle && owed() == 1 && input_.empty()) front.framing.closes = true;
    if (front.framing.closes) stop_reading();
    write_response(output, *front.response, front.framing);
  }
  if (front.framing.chunked && !front.framing.head_only) {
    for (Slice& piece : std::exchange(front.pieces, {})) {
      front.framing.http10 ? output.append(std::move(piece)) : write_chunk(output, std::move(piece));
    }
    for (auto& held : std::exchange(front.held, {})) output.hold(std::move(held));
    if (front.finished && !front.aborted && !front.framing.http10) write_last_chunk(output);
  }
  if (!front.finished) return false;
  if (front.aborted) stop_reading();
  if (front.response->write_time != nullptr) {
    output.observe_sent(std::move(front.response->write_time), front.answered_at);
  }
  return true;
}

void Http1Session::pop_front() {
  ++front_sequence_;
  if (++owed_front_ < owed_.size()) {
    owed_[owed_front_ - 1] = Owed{};
    return;
  }
  owed_.clear();
  owed_front_ = 0;
  if (owed_.capacity() > kOwedKept) owed_.shrink_to_fit();
}

void Http1Session::send_continue() {
  owes_continue_ = false;
  host_.output().append_copy("HTTP/1.1 100 Continue\r\n\r\n");
  host_.flush_soon();
}

// ---- the connection -------------------------------------------------------------------------------------------------

bool Http1Session::paused() const noexcept {
  return owed() >= context_.limits.pipeline_max || host_.output().size() > context_.limits.output_bytes_max;
}

void Http1Session::on_output_drained() {
  if (!consuming_ && !input_.empty() && !paused()) resume();
}

TimePoint Http1Session::deadline() const noexcept {
  if (stage_ == Stage::kDone || paused()) return kNever;
  if (stage_ == Stage::kHead) return head_started_ + context_.limits.header_time_max;
  if (in_message()) return last_bytes_ + context_.limits.body_idle_max;
  if (owed() > 0) return kNever;
  return idle_since_ == kNever ? TimePoint::min() : idle_since_ + context_.limits.idle_time_max;
}

void Http1Session::on_deadline(TimePoint now) {
  if (now < deadline()) return;
  if (stage_ == Stage::kHead) {
    return refuse({408,
                   "request header not complete after " + std::to_string(context_.limits.header_time_max.count()) +
                       " ms (header-time-max)",
                   "timeout"});
  }
  if (in_message()) {
    return refuse({408,
                   "request body: nothing received for " + std::to_string(context_.limits.body_idle_max.count()) +
                       " ms (body-idle-max)",
                   "timeout"});
  }
  if (idle_since_ == kNever) {
    idle_since_ = now;
  } else {
    stop_reading();
  }
}

void Http1Session::drain() {
  draining_ = true;
  if (stage_ == Stage::kIdle && input_.empty() && owed() == 0) stop_reading();
}

std::size_t Http1Session::in_flight() const noexcept { return owed() + (in_message() ? 1 : 0); }

void Http1Session::on_closed() {
  if (link_->sink == nullptr) return;
  link_->sink = nullptr;
  link_->closed.store(true, std::memory_order_relaxed);
  link_->left.cancel();
  stop_reading();
  owed_.clear();
  owed_front_ = 0;
}

}  // namespace protean
