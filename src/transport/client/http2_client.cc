// SPDX-License-Identifier: Apache-2.0
// HTTP/2: an nghttp2 client session. Answers that end while bytes are being read are handed out afterwards, so that
// whoever gets one may send the next request, and all new requests of one turn leave in one write.
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "transport/client/client_connection.h"

namespace protean {
namespace {

constexpr std::uint32_t kWindowBytes = std::uint32_t{1} << 30;
constexpr std::uint32_t kFrameBytesMax = std::uint32_t{64} << 10;
constexpr std::uint32_t kNoError = 0;

struct Stream {
  std::shared_ptr<const ClientRequest> request;
  ClientConnection::Done done;
  SendOptions options;
  ClientReply reply;
  std::size_t sent = 0;
};

struct EngineDeleter {
  void operator()(nghttp2_session* engine) const noexcept { nghttp2_session_del(engine); }
};

/// Source: gRPC over HTTP/2, "Status-Message": percent-encoded UTF-8; broken escapes stay as they are.
std::string decode_message(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

class Http2Client final : public ClientConnection {
 public:
  Http2Client(ClientLoop& loop, std::size_t streams) : ClientConnection(loop), streams_max_(streams) {}

  [[nodiscard]] bool usable() const noexcept override { return ClientConnection::usable() && !going_away_; }
  [[nodiscard]] std::size_t room() const noexcept override {
    return usable() && streams_.size() < streams_max_ ? streams_max_ - streams_.size() : 0;
  }

  void send(std::shared_ptr<const ClientRequest> request, SendOptions options, Done done) override {
    if (room() == 0) return done(no_room());
    auto stream =
        std::make_unique<Stream>(Stream{std::move(request), std::move(done), options, empty_reply(options), 0});
    std::vector<nghttp2_nv> fields;
    fields.reserve(stream->request->fields.size());
    for (const auto& [name, value] : stream->request->fields) fields.push_back(field(name, value));
    nghttp2_data_provider provider{};
    provider.read_callback = read_body;
    const auto* body = stream->request->body.empty() ? nullptr : &provider;
    const std::int32_t id =
        nghttp2_submit_request(engine_.get(), nullptr, fields.data(), fields.size(), body, stream.get());
    if (id < 0) {
      going_away_ = true;  // stream identifiers are used up: the owner makes a new connection
      stream->reply.error = Error{Code::kUnavailable, nghttp2_strerror(id), {}, {}};
      return stream->done(std::move(stream->reply));
    }
    streams_.emplace(id, std::move(stream));
    flush_session();
  }

  void expire(TimePoint now) override {
    ClientConnection::expire(now);
    const auto self = shared_from_this();
    std::vector<std::unique_ptr<Stream>> late;
    for (auto it = streams_.begin(); it != streams_.end();) {
      if (now < it->second->options.deadline) {
        ++it;
        continue;
      }
      nghttp2_session_set_stream_user_data(engine_.get(), it->first, nullptr);
      nghttp2_submit_rst_stream(engine_.get(), NGHTTP2_FLAG_NONE, it->first, NGHTTP2_CANCEL);
      late.push_back(std::move(it->second));
      it = streams_.erase(it);
    }
    if (late.empty()) return;
    flush_session();
    fail_all(std::move(late), {Code::kDeadlineExceeded, "no answer in time", {}, {}});
  }

 private:
  static nghttp2_nv field(const std::string& name, const std::string& value) {
    // nghttp2 does not write to them; the request lives as long as its stream, and longer than one write.
    auto* const name_at = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(name.data()));
    auto* const value_at = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(value.data()));
    return {name_at, value_at, name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }
  static Http2Client& client(void* user_data) { return *static_cast<Http2Client*>(user_data); }
  static Stream* stream_of(nghttp2_session* engine, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(engine, id));
  }

  static ssize_t read_body(nghttp2_session* engine, std::int32_t id, std::uint8_t* out, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source*, void*) {
    Stream* stream = stream_of(engine, id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const auto rest = stream->request->body.bytes.subspan(stream->sent);
    const std::size_t count = std::min(size, rest.size());
    std::memcpy(out, rest.data(), count);
    stream->sent += count;
    if (count == rest.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  static int on_header(nghttp2_session* engine, const nghttp2_frame* frame, const std::uint8_t* name_at,
                       std::size_t name_size, const std::uint8_t* value_at, std::size_t value_size, std::uint8_t,
                       void*) {
    Stream* stream = stream_of(engine, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const std::string_view name(reinterpret_cast<const char*>(name_at), name_size);
    const std::string_view value(reinterpret_cast<const char*>(value_at), value_size);
    if (name == ":status") stream->reply.status = static_cast<int>(parse_uint64(value).value_or(0));
    if (name == "grpc-status") stream->reply.grpc_status = static_cast<int>(parse_uint64(value).value_or(2));
    if (name == "grpc-message") stream->reply.grpc_message = decode_message(value);
    if (stream->options.keep_fields && !name.starts_with(':')) {
      const bool trailer = frame->headers.cat == NGHTTP2_HCAT_HEADERS && stream->reply.status >= 200;
      (trailer ? stream->reply.trailers : stream->reply.fields).emplace_back(name, value);
    }
    return 0;
  }

  static int on_data(nghttp2_session* engine, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                     std::size_t size, void*) {
    if (Stream* stream = stream_of(engine, id)) {
      add_body(stream->reply, {reinterpret_cast<const char*>(bytes), size}, stream->options.keep_max);
    }
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type == NGHTTP2_SETTINGS) client(user_data).greeted_ = true;
    if (frame->hd.type == NGHTTP2_GOAWAY) client(user_data).going_away_ = true;
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user_data) {
    Http2Client& self = client(user_data);
    const auto found = self.streams_.find(id);
    if (found == self.streams_.end()) return 0;
    if (error != kNoError) {
      found->second->reply.error =
          Error{Code::kUnavailable, fmt::format("stream reset ({})", nghttp2_http2_strerror(error)), {}, {}};
    }
    self.finished_.push_back(std::move(found->second));
    self.streams_.erase(found);
    return 0;
  }

  static nghttp2_session_callbacks* make_callbacks() {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
  }

  void on_open() override {
    static nghttp2_session_callbacks* const callbacks = make_callbacks();
    nghttp2_session* engine = nullptr;
    if (nghttp2_session_client_new(&engine, callbacks, this) != 0) throw std::bad_alloc();
    engine_.reset(engine);
    const std::array<nghttp2_settings_entry, 3> settings = {{{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowBytes},
                                                             {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameBytesMax}}};
    nghttp2_submit_settings(engine, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(engine, NGHTTP2_FLAG_NONE, 0, kWindowBytes);
    flush_session();
  }

  void on_bytes(std::span<const std::byte> bytes) override {
    in_turn_ = true;
    const ssize_t used =
        nghttp2_session_mem_recv(engine_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    hand_out();
    in_turn_ = false;
    if (used < 0) {
      return break_off(
          {Code::kInternal, fmt::format("not HTTP/2: {}", nghttp2_strerror(static_cast<int>(used))), {}, {}});
    }
    flush_session();
    if (nghttp2_session_want_read(engine_.get()) == 0 && nghttp2_session_want_write(engine_.get()) == 0) {
      break_off(ended());
    }
  }

  [[nodiscard]] Error ended() const {
    if (!greeted_) return {Code::kInternal, "not HTTP/2: something else than its first frame came", {}, {}};
    return {Code::kUnavailable, "the server ended the HTTP/2 connection", {}, {}};
  }

  void on_broken(const Error& error) override {
    std::vector<std::unique_ptr<Stream>> all;
    for (auto& [id, stream] : std::exchange(streams_, {})) all.push_back(std::move(stream));
    fail_all(std::move(all), error);
  }

  static void fail_all(std::vector<std::unique_ptr<Stream>> streams, const Error& error) {
    for (auto& stream : streams) {
      stream->reply.error = error;
      stream->done(std::move(stream->reply));
    }
  }

  void flush_session() {
    if (in_turn_ || !ClientConnection::usable()) return;
    std::string out;
    while (true) {
      const std::uint8_t* bytes = nullptr;
      const ssize_t count = nghttp2_session_mem_send(engine_.get(), &bytes);
      if (count <= 0) break;
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
    }
    if (!out.empty()) write(Slice::of(std::move(out)));
    hand_out();  // streams that ended because nothing could be sent on them
  }

  void hand_out() {
    for (auto& stream : std::exchange(finished_, {})) stream->done(std::move(stream->reply));
  }

  const std::size_t streams_max_;
  std::unique_ptr<nghttp2_session, EngineDeleter> engine_;
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> finished_;
  bool greeted_ = false;  // the server's SETTINGS have come
  bool going_away_ = false;
  bool in_turn_ = false;
};

}  // namespace

std::shared_ptr<ClientConnection> make_http2_client(ClientLoop& loop, std::size_t streams) {
  return std::make_shared<Http2Client>(loop, streams);
}

}  // namespace protean
