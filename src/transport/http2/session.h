// SPDX-License-Identifier: Apache-2.0
// One HTTP/2 connection, gRPC included: nghttp2 keeps the protocol, this class decides what happens with
// streams. Work is done in turns: everything received is fed to nghttp2 first, then complete requests are
// handed out, then all answers leave together.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/http2/closed_streams.h"
#include "transport/http2/engine.h"
#include "transport/http2/fields.h"
#include "transport/http2/flood_guard.h"
#include "transport/http2/frame_scanner.h"
#include "transport/http2/mailbox.h"
#include "transport/http2/stream.h"
#include "transport/session.h"

namespace protean::http2 {

/// An answer that the session gives by itself. `cause`: see TransportMetrics; `header`: one more field.
struct Refusal {
  int status = 0;
  std::string message;
  std::string_view cause;
  std::pair<std::string_view, std::string_view> header{};
};

/// Loop-thread only.  session.cc: turns, time and draining; session_receive.cc: what the peer sends;
/// session_dispatch.cc: requests to the request path; session_answer.cc: answers.
class Http2Session final : public Session, public CommandSink {
 public:
  static constexpr std::size_t kFrameHeadBytes = 9;

  explicit Http2Session(SessionHost& host);
  ~Http2Session() override;

  void on_bytes(std::span<const std::byte> bytes) override;
  void on_peer_finished() override;
  void on_closed() override;
  void on_output_drained() override;
  [[nodiscard]] bool wants_read() const noexcept override;
  [[nodiscard]] bool wants_close() const noexcept override;
  [[nodiscard]] TimePoint deadline() const noexcept override;
  void on_deadline(TimePoint now) override;
  void drain() override;
  [[nodiscard]] std::size_t in_flight() const noexcept override { return streams_.size(); }

  // Called by the mailbox.
  void execute(Command command) override;
  void executed() override;

  // Called by the engine; all return 0 or an nghttp2 error.
  int on_begin_frame(const nghttp2_frame_hd& head);
  int on_begin_headers(const nghttp2_frame& frame);
  int on_field(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_invalid_field(std::int32_t stream_id);
  int on_frame(const nghttp2_frame& frame);
  int on_data(std::int32_t stream_id, std::span<const std::byte> bytes);
  int on_frame_sent(const nghttp2_frame& frame);
  int on_stream_close(std::int32_t stream_id);
  [[nodiscard]] ssize_t read_body(std::int32_t stream_id, std::size_t size_max, std::uint32_t& flags);
  int send_body(std::int32_t stream_id, std::string_view frame_head, std::size_t size);

 private:
  // session.cc
  [[nodiscard]] int violate(std::uint32_t error_code) noexcept;
  [[nodiscard]] Stream* find(std::int32_t stream_id) noexcept;
  void settle();
  void pump();
  /// Frames are made only while less than this waits for the socket.
  [[nodiscard]] std::size_t output_bytes_high() const noexcept;
  void fail_connection(std::uint32_t error_code);
  void watch_streams() noexcept;
  void expire_silent_streams();
  void expire_calls();
  void arm_call_timer(TimePoint when);
  void finish_drain();
  void end_idle_streams();
  [[nodiscard]] const Limits& limits() const noexcept { return host_.context().limits; }

  // session_receive.cc
  void receive(std::span<const std::byte> bytes);
  void feed(std::span<const std::byte> bytes);
  [[nodiscard]] std::uint32_t verdict_on(std::int32_t stream_id) noexcept;
  [[nodiscard]] bool charge(const FrameHead& head) noexcept;
  void on_head(Stream& stream, bool ended);
  [[nodiscard]] bool begin_grpc(Stream& stream);
  void begin_body(Stream& stream, bool ended);
  void on_request_end(Stream& stream);
  void take_body(Stream& stream, std::span<const std::byte> bytes);
  void take_messages(Stream& stream, std::span<const std::byte> bytes);
  void open_window(Stream& stream);

  // session_dispatch.cc
  void queue(Stream& stream);
  void dispatch();
  void hand_out(Stream& stream);
  [[nodiscard]] Result<Slice> unpack_body(Stream& stream);
  [[nodiscard]] grpc::MessageRules message_rules(const Stream& stream) const noexcept;
  [[nodiscard]] std::size_t body_bytes_max(const Stream& stream) const noexcept;
  void open_messages(Stream& stream);
  void serve_messages(Stream& stream);
  void want_message(Stream& stream);
  void tell_handlers_left();
  void cancel_exchange(Stream& stream);

  // session_answer.cc
  void refuse(Stream& stream, Refusal refusal);
  void refuse_call(Stream& stream, const Error& error);
  void answer(Stream& stream, Response response, bool compressed);
  void answer_http(Stream& stream, Response response, bool whole);
  void answer_grpc(Stream& stream, Response response, bool compressed);
  void begin_grpc_answer(Stream& stream, const Response& response, bool compressed);
  void begin_trailers_only(Stream& stream, std::optional<Code> code, const Response& response);
  void end_grpc_answer(Stream& stream, std::optional<Code> code, std::string_view message);
  void submit_trailers(const Stream& stream);
  void start_pieces(Stream& stream, Response response);
  void write_piece(Stream& stream, Response response);
  void finish_pieces(Stream& stream);
  void send_message(Stream& stream, Response message, bool compressed);
  void end_messages(Stream& stream, const Response& status);
  void drop_unanswered(Stream& stream);
  void submit_head(Stream& stream, bool with_body);
  void on_reset_sent(std::int32_t stream_id, std::uint32_t error_code);
  void resume(Stream& stream);
  void reset(Stream& stream, std::uint32_t error_code);
  [[nodiscard]] bool out_of_bounds(Stream& stream);

  SessionHost& host_;
  std::shared_ptr<StreamMailbox> mailbox_;
  Engine engine_;
  std::vector<std::unique_ptr<Stream>> streams_;             // open ones; each knows its index
  Stream* recent_ = nullptr;                                 // what find() found last; forgotten when it closes
  std::vector<std::int32_t> queue_;                          // streams to look after at the end of the turn
  std::vector<std::shared_ptr<MessageStreamHandler>> left_;  // to be told that their client has left
  Fields fields_;                                            // scratch
  FrameScanner scanner_;
  ClosedStreams closed_;
  FloodGuard control_guard_;
  FloodGuard reset_guard_;
  TimePoint now_;
  TimePoint head_deadline_;  // of the preface, or of the field list being received
  TimePoint idle_deadline_ = kNever;
  TimePoint watch_at_ = kNever;  // when to look for silent streams
  TimePoint call_timer_at_ = kNever;
  std::uint64_t call_timer_ = 0;
  std::uint64_t drain_timer_ = 0;
  bool receiving_ = false;
  bool settling_ = false;
  std::uint32_t violation_ = NGHTTP2_NO_ERROR;  // what the peer has done that ends the connection
  bool failed_ = false;                         // the connection ends once the output is sent
  bool dead_ = false;                           // the engine can no longer be used
  bool peer_finished_ = false;
  bool draining_ = false;
  bool drain_final_ = false;  // the last GOAWAY is out
  bool read_paused_ = false;
};

/// What a client reads whose body is over the limit.
[[nodiscard]] std::string body_too_large(std::uint64_t bytes, std::size_t bytes_max);

}  // namespace protean::http2
