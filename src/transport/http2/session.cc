// SPDX-License-Identifier: Apache-2.0
// Turns, time and the end of an HTTP/2 connection. What a turn consists of is in settle().
#include "transport/http2/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "transport/session_factories.h"
#include "transport/transport_metrics.h"

namespace protean::http2 {
namespace {

/// What one stream, and all of them together, may have on the way to us: enough to keep a fast network busy.
constexpr std::uint32_t kStreamWindowBytes = std::uint32_t{1} << 20;
constexpr std::int32_t kConnectionWindowBytes = std::int32_t{8} << 20;
/// Frames that may wait behind a peer that does not read, before we stop reading as well.
constexpr std::size_t kOutboundFramesMax = 4096;
/// See FloodGuard.
constexpr double kControlBurst = 1000;
constexpr double kControlRate = 100;
constexpr double kResetBurst = 1000;
constexpr double kResetRate = 200;
/// How long a peer may take to see the first GOAWAY before the second one names the last stream.
constexpr std::chrono::seconds kDrainNoticeMax{1};
/// How often streams are looked at while none of them waits for its client.
constexpr int kWatchesPerTimeout = 4;

std::uint32_t to_setting(std::size_t value) noexcept {
  return static_cast<std::uint32_t>(std::min<std::size_t>(value, INT32_MAX));
}

}  // namespace

Http2Session::Http2Session(SessionHost& host)
    : host_(host),
      mailbox_(std::make_shared<StreamMailbox>(host, *this, *host.context().clock)),
      engine_(make_engine(*this)),
      control_guard_(kControlBurst, kControlRate),
      reset_guard_(kResetBurst, kResetRate),
      now_(host.context().clock->now()),
      head_deadline_(now_ + limits().header_time_max),
      idle_deadline_(now_ + limits().idle_time_max) {
  const std::array<nghttp2_settings_entry, 3> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, to_setting(limits().streams_max)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, to_setting(limits().header_bytes_max)},
  }};
  const bool ok =
      nghttp2_submit_settings(engine_.get(), NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0 &&
      nghttp2_session_set_local_window_size(engine_.get(), NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes) == 0;
  if (!ok) throw std::bad_alloc();
  pump();
}

Http2Session::~Http2Session() { mailbox_->close(); }

void Http2Session::on_bytes(std::span<const std::byte> bytes) {
  if (failed_ || dead_) return;
  now_ = host_.context().clock->now();
  receiving_ = true;
  receive(bytes);
  receiving_ = false;
  settle();
}

/// Hands out what is complete, then makes frames of all answers, until nothing is left to do.
void Http2Session::settle() {
  if (settling_ || receiving_) return;
  settling_ = true;
  do {
    if (violation_ != NGHTTP2_NO_ERROR) fail_connection(violation_);
    if (!failed_) dispatch();
    if (drain_final_) end_idle_streams();
    tell_handlers_left();
    pump();  // may close streams
  } while (!left_.empty() || (!failed_ && (!queue_.empty() || violation_ != NGHTTP2_NO_ERROR)));
  settling_ = false;
}

void Http2Session::pump() {
  OutputQueue& output = host_.output();
  while (!dead_ && output.size() < output_bytes_high()) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(engine_.get(), &bytes);
    if (count < 0) dead_ = true;
    if (count <= 0) break;
    output.append_copy({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count)});
  }
  read_paused_ = !wants_read();
}

std::size_t Http2Session::output_bytes_high() const noexcept {
  constexpr std::size_t kHigh = std::size_t{1} << 20;
  return std::min(kHigh, limits().output_bytes_max);
}

void Http2Session::fail_connection(std::uint32_t error_code) {
  if (std::exchange(failed_, true)) return;
  if (nghttp2_session_terminate_session(engine_.get(), error_code) != 0) dead_ = true;
}

void Http2Session::on_output_drained() {
  if (dead_) return;
  const bool was_paused = read_paused_;
  if (nghttp2_session_want_write(engine_.get()) != 0) settle();
  read_paused_ = !wants_read();
  if (was_paused && !read_paused_) host_.resume_reading();
}

void Http2Session::execute(Command command) {
  if (!settling_ && !receiving_) now_ = host_.context().clock->now();
  Stream* stream = find(command.stream_id);
  if (stream == nullptr || failed_ || stream->phase == Phase::kRefused) return;
  Response& response = command.response;
  if (response.write_time) {
    stream->write_time = std::move(response.write_time);
    stream->answered_at = command.at;
  }
  watch_streams();
  stream->touched = now_;
  switch (command.kind) {
    case CommandKind::kRespond:
      host_.count_answer(response.refused);
      answer(*stream, std::move(response), command.compressed);
      break;
    case CommandKind::kStart: start_pieces(*stream, std::move(response)); break;
    case CommandKind::kWrite: write_piece(*stream, std::move(response)); break;
    case CommandKind::kFinish: finish_pieces(*stream); break;
    case CommandKind::kDropped: drop_unanswered(*stream); break;
    case CommandKind::kSendMessage: send_message(*stream, std::move(response), command.compressed); break;
    case CommandKind::kNextMessage: want_message(*stream); break;
    case CommandKind::kEndStream: end_messages(*stream, response); break;
  }
}

void Http2Session::executed() {
  if (settling_ || receiving_) return;
  settle();
  host_.flush_soon();
}

/// For callbacks: ends the reading; the connection fails with this code at the end of the turn.
int Http2Session::violate(std::uint32_t error_code) noexcept {
  violation_ = error_code;
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/// Frames come in runs for one stream, so the last one found is worth remembering.
Stream* Http2Session::find(std::int32_t stream_id) noexcept {
  if (recent_ == nullptr || recent_->id != stream_id) {
    recent_ = static_cast<Stream*>(nghttp2_session_get_stream_user_data(engine_.get(), stream_id));
  }
  return recent_;
}

bool Http2Session::wants_read() const noexcept {
  if (failed_ || dead_ || nghttp2_session_want_read(engine_.get()) == 0) return false;
  return host_.output().size() < limits().output_bytes_max &&
         nghttp2_session_get_outbound_queue_size(engine_.get()) < kOutboundFramesMax;
}

bool Http2Session::wants_close() const noexcept {
  if (dead_) return true;
  if (nghttp2_session_want_write(engine_.get()) != 0) return false;
  if (failed_ || nghttp2_session_want_read(engine_.get()) == 0) return true;
  return streams_.empty() && (drain_final_ || peer_finished_);
}

void Http2Session::on_peer_finished() {
  now_ = host_.context().clock->now();
  peer_finished_ = true;
  // What needs more from this peer can never end; what is complete is still answered.
  for (const auto& stream : streams_) {
    if (!stream->request_ended || stream->phase == Phase::kMessages) reset(*stream, NGHTTP2_CANCEL);
  }
  settle();
}

void Http2Session::on_closed() {
  mailbox_->close();
  if (call_timer_ != 0) host_.cancel_timer(std::exchange(call_timer_, 0));
  if (drain_timer_ != 0) host_.cancel_timer(std::exchange(drain_timer_, 0));
  for (const auto& stream : streams_) {
    if (!stream->end_sent && !failed_) host_.context().metrics->refused("client_left");
    cancel_exchange(*stream);
  }
  dead_ = true;
  tell_handlers_left();
  recent_ = nullptr;
  streams_.clear();
}

TimePoint Http2Session::deadline() const noexcept {
  if (failed_ || dead_) return kNever;
  return std::min({head_deadline_, idle_deadline_, watch_at_});
}

void Http2Session::on_deadline(TimePoint now) {
  now_ = now;
  if (now >= head_deadline_) {
    host_.context().metrics->refused("timeout");
    fail_connection(NGHTTP2_NO_ERROR);
  } else if (now >= idle_deadline_) {
    fail_connection(NGHTTP2_NO_ERROR);
  } else if (now >= watch_at_) {
    expire_silent_streams();
  }
  settle();
}

void Http2Session::watch_streams() noexcept {
  if (watch_at_ == kNever) watch_at_ = now_ + limits().body_idle_max;
}

void Http2Session::expire_silent_streams() {
  watch_at_ = streams_.empty() ? kNever : now_ + limits().body_idle_max / kWatchesPerTimeout;
  for (const auto& stream : streams_) {
    if (stream->stop_at != kNever) {
      if (stream->stop_at > now_) {
        watch_at_ = std::min(watch_at_, stream->stop_at);
      } else {
        stream->stop_at = kNever;
        nghttp2_submit_rst_stream(engine_.get(), NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
      }
      continue;
    }
    if (!stream->waits_for_client()) continue;
    const TimePoint due = stream->touched + limits().body_idle_max;
    if (due > now_) {
      watch_at_ = std::min(watch_at_, due);
    } else if (stream->answered) {
      host_.context().metrics->refused("timeout");
      reset(*stream, NGHTTP2_CANCEL);
    } else {
      refuse(*stream, {408, "request body: the client fell silent", "timeout"});
    }
  }
}

/// One timer serves all calls of the connection: it is set for the earliest deadline known and finds the next
/// one when it goes off, so that calls which are answered in time cost nothing.
void Http2Session::arm_call_timer(TimePoint when) {
  if (when >= call_timer_at_) return;
  if (call_timer_ != 0) host_.cancel_timer(call_timer_);
  call_timer_at_ = when;
  call_timer_ = host_.run_at(when, [this] {
    call_timer_ = 0;
    call_timer_at_ = kNever;
    expire_calls();
  });
}

void Http2Session::expire_calls() {
  now_ = host_.context().clock->now();
  TimePoint next = kNever;
  for (const auto& stream : streams_) {
    if (stream->deadline == kNever || stream->out.closed() || stream->phase == Phase::kRefused) continue;
    if (stream->deadline <= now_) {
      refuse_call(*stream, {Code::kDeadlineExceeded, "deadline exceeded", std::source_location::current()});
    } else {
      next = std::min(next, stream->deadline);
    }
  }
  if (next != kNever) arm_call_timer(next);
  executed();
}

/// Two steps (RFC 9113 6.8): a notice first, and once the peer has seen it the GOAWAY that names the last
/// stream, so that no request under way is refused.
void Http2Session::drain() {
  if (std::exchange(draining_, true) || failed_ || dead_) return;
  nghttp2_submit_shutdown_notice(engine_.get());
  nghttp2_submit_ping(engine_.get(), NGHTTP2_FLAG_NONE, nullptr);
  drain_timer_ = host_.run_at(host_.context().clock->now() + kDrainNoticeMax, [this] {
    drain_timer_ = 0;
    finish_drain();
    executed();
  });
  executed();
}

void Http2Session::finish_drain() {
  if (std::exchange(drain_final_, true)) return;
  if (drain_timer_ != 0) host_.cancel_timer(std::exchange(drain_timer_, 0));
  const std::int32_t last = nghttp2_session_get_last_proc_stream_id(engine_.get());
  nghttp2_submit_goaway(engine_.get(), NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
}

/// A stream on which nothing is being worked would keep the server from stopping for ever (a health watch).
void Http2Session::end_idle_streams() {
  for (const auto& stream : streams_) {
    if (stream->phase != Phase::kMessages || stream->busy || stream->queued || !stream->opened) continue;
    if (stream->out.size() > 0 || stream->inside_message()) continue;
    refuse_call(*stream, {Code::kUnavailable, "server is shutting down", std::source_location::current()});
  }
}

}  // namespace protean::http2

namespace protean {

std::unique_ptr<Session> make_http2_session(SessionHost& host) { return std::make_unique<http2::Http2Session>(host); }

}  // namespace protean
