// SPDX-License-Identifier: Apache-2.0
// The one place where nghttp2 calls us: see the header.
#include "transport/http2/engine.h"

#include <new>
#include <string_view>

#include "transport/http2/session.h"

namespace protean::http2 {
namespace {

/// CONTINUATION frames of one field list (CVE-2024-28182).
constexpr std::size_t kContinuationsMax = 8;
/// Entries of one SETTINGS frame.
constexpr std::size_t kSettingsMax = 32;
/// Acknowledgements that may wait for a peer that does not read.
constexpr std::size_t kAcknowledgementsMax = 1000;
/// RST_STREAM frames from the peer: so many at once, so many a second (CVE-2023-44487). Clients whose calls
/// run into their deadlines reset a stream for each, so the rate is above nghttp2's 33.
constexpr std::uint64_t kResetsBurst = 1000;
constexpr std::uint64_t kResetsRate = 200;

Http2Session& session_of(void* user_data) { return *static_cast<Http2Session*>(user_data); }

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// Runs `work`; no exception passes into C.
template <typename F>
int guarded(F&& work) noexcept {
  try {
    return work();
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
}

int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user_data) {
  return guarded([&] { return session_of(user_data).on_begin_frame(*head); });
}

int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  return guarded([&] { return session_of(user_data).on_begin_headers(*frame); });
}

int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
              const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
  return guarded(
      [&] { return session_of(user_data).on_field(*frame, text_of(name, name_size), text_of(value, value_size)); });
}

int on_invalid_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*, std::size_t,
                      const std::uint8_t*, std::size_t, std::uint8_t, void* user_data) {
  return guarded([&] { return session_of(user_data).on_invalid_field(frame->hd.stream_id); });
}

int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  return guarded([&] { return session_of(user_data).on_frame(*frame); });
}

int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t stream_id, const std::uint8_t* data, std::size_t size,
                  void* user_data) {
  return guarded([&] {
    return session_of(user_data).on_data(stream_id, {reinterpret_cast<const std::byte*>(data), size});
  });
}

int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  return guarded([&] { return session_of(user_data).on_frame_sent(*frame); });
}

int on_stream_close(nghttp2_session*, std::int32_t stream_id, std::uint32_t, void* user_data) {
  return guarded([&] { return session_of(user_data).on_stream_close(stream_id); });
}

int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t size, nghttp2_data_source*,
              void* user_data) {
  return guarded([&] {
    return session_of(user_data).send_body(frame->hd.stream_id, text_of(head, Http2Session::kFrameHeadBytes), size);
  });
}

ssize_t read_body(nghttp2_session*, std::int32_t stream_id, std::uint8_t*, std::size_t size, std::uint32_t* flags,
                  nghttp2_data_source*, void* user_data) {
  ssize_t count = 0;
  const int failed = guarded([&] {
    count = session_of(user_data).read_body(stream_id, size, *flags);
    return 0;
  });
  return failed != 0 ? failed : count;
}

ssize_t read_length(nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t, std::int32_t,
                    std::uint32_t frame_bytes_max, void*) {
  // Frames are as long as the peer takes them, within what keeps streams fair to each other.
  constexpr std::uint32_t kFrameBytesMax = std::uint32_t{64} << 10;
  return frame_bytes_max < kFrameBytesMax ? frame_bytes_max : kFrameBytesMax;
}

nghttp2_session_callbacks* make_callbacks() {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
  nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, read_length);
  return callbacks;
}

nghttp2_option* make_options() {
  nghttp2_option* options = nullptr;
  if (nghttp2_option_new(&options) != 0) throw std::bad_alloc();
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);  // see ClosedStreams
  nghttp2_option_set_max_continuations(options, kContinuationsMax);
  nghttp2_option_set_max_settings(options, kSettingsMax);
  nghttp2_option_set_max_outbound_ack(options, kAcknowledgementsMax);
  nghttp2_option_set_stream_reset_rate_limit(options, kResetsBurst, kResetsRate);
  nghttp2_option_set_max_deflate_dynamic_table_size(options, NGHTTP2_DEFAULT_HEADER_TABLE_SIZE);
  return options;
}

}  // namespace

Engine make_engine(Http2Session& session) {
  // Made once, at the first connection, for the life of the process; nghttp2 copies what it needs.
  static nghttp2_session_callbacks* const callbacks = make_callbacks();
  static nghttp2_option* const options = make_options();
  nghttp2_session* engine = nullptr;
  if (nghttp2_session_server_new2(&engine, callbacks, &session, options) != 0) throw std::bad_alloc();
  return Engine(engine);
}

nghttp2_data_provider body_provider() noexcept {
  nghttp2_data_provider provider{};
  provider.read_callback = read_body;
  return provider;
}

}  // namespace protean::http2
