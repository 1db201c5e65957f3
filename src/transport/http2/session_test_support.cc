// SPDX-License-Identifier: Apache-2.0
// The client side of session tests: see the header.
#include "transport/http2/session_test_support.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace protean::http2 {
namespace {

std::string find_field(const FieldPairs& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? "" : found->second;
}

std::vector<nghttp2_nv> to_engine(const FieldPairs& fields) {
  std::vector<nghttp2_nv> out;
  for (const auto& [name, value] : fields) {
    const auto bytes = [](const std::string& text) {
      return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    out.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return out;
}

}  // namespace

std::string Answer::field(std::string_view name) const { return find_field(fields, name); }

std::string Answer::grpc(std::string_view name) const { return find_field(trailers.empty() ? fields : trailers, name); }

struct Pair::Callbacks {
  static Pair& self(void* user_data) { return *static_cast<Pair*>(user_data); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
    Answer& answer = self(user_data).answers[frame->hd.stream_id];
    std::pair<std::string, std::string> field{{reinterpret_cast<const char*>(name), name_size},
                                              {reinterpret_cast<const char*>(value), value_size}};
    if (field.first == ":status" && field.second < "200") {
      answer.informational.push_back(field.second);
    } else if (frame->headers.cat == NGHTTP2_HCAT_HEADERS && !answer.fields.empty()) {
      answer.trailers.push_back(std::move(field));
    } else {
      answer.fields.push_back(std::move(field));
    }
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Pair& pair = self(user_data);
    if (frame->hd.type == NGHTTP2_GOAWAY) pair.goaways.push_back(frame->goaway.error_code);
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) ++pair.pongs;
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) pair.answers[frame->hd.stream_id].ended = true;
    return 0;
  }

  static int on_data(nghttp2_session* client, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                     void* user_data) {
    self(user_data).answers[id].body.append(reinterpret_cast<const char*>(data), size);
    if (self(user_data).auto_window) nghttp2_session_consume(client, id, size);
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error_code, void* user_data) {
    Answer& answer = self(user_data).answers[id];
    answer.closed = true;
    answer.error_code = error_code;
    return 0;
  }

  static ssize_t read_upload(nghttp2_session*, std::int32_t id, std::uint8_t* out, std::size_t size,
                             std::uint32_t* flags, nghttp2_data_source*, void* user_data) {
    Upload& upload = self(user_data).uploads_[id];
    const std::size_t count = std::min(size, upload.bytes.size());
    std::memcpy(out, upload.bytes.data(), count);
    upload.bytes.erase(0, count);
    if (upload.bytes.empty() && upload.end) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (count == 0) {
      upload.waiting = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(count);
  }
};

Pair::Pair(Limits limits, std::size_t memory_bytes, std::uint32_t client_window)
    : memory(memory_bytes),
      context{&handler, limits, &memory, &clock, &metrics},
      host(std::make_shared<testing::MemoryHost>(context)),
      session(make_http2_session(*host)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
  nghttp2_option* options = nullptr;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_session_client_new2(&client_, callbacks, this, options);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, client_window};
  nghttp2_submit_settings(client_, NGHTTP2_FLAG_NONE, &setting, 1);
}

Pair::~Pair() {
  if (session) session->on_closed();
  session.reset();
  handler.exchanges.clear();  // they hold memory of the host's budget
  nghttp2_session_del(client_);
}

std::int32_t Pair::request(const FieldPairs& fields, std::optional<std::string> body, bool end) {
  const auto engine_fields = to_engine(fields);
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::read_upload;
  const std::int32_t id = nghttp2_submit_request(client_, nullptr, engine_fields.data(), engine_fields.size(),
                                                 body ? &provider : nullptr, nullptr);
  PROTEAN_CHECK(id > 0);
  if (body) uploads_[id] = {*std::move(body), end, false};
  return id;
}

std::int32_t Pair::call(std::string_view path, std::string_view message, FieldPairs more) {
  return request(grpc_fields(path, std::move(more)), framed(message));
}

void Pair::send(std::int32_t id, std::string_view bytes, bool end) {
  Upload& upload = uploads_[id];
  upload.bytes += bytes;
  upload.end = end;
  if (std::exchange(upload.waiting, false)) nghttp2_session_resume_data(client_, id);
}

void Pair::reset(std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(client_, NGHTTP2_FLAG_NONE, id, code);
}

void Pair::ping() { nghttp2_submit_ping(client_, NGHTTP2_FLAG_NONE, nullptr); }

void Pair::run() {
  for (bool moved = true; moved;) {
    host->run_posted();
    const std::uint8_t* bytes = nullptr;
    std::string to_server;
    while (const ssize_t count = nghttp2_session_mem_send(client_, &bytes)) {
      if (count < 0) break;
      to_server.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
    }
    if (!to_server.empty()) session->on_bytes(std::as_bytes(std::span(to_server)));
    const std::string to_client = host->take_output();
    session->on_output_drained();
    if (!to_client.empty()) {
      nghttp2_session_mem_recv(client_, reinterpret_cast<const std::uint8_t*>(to_client.data()), to_client.size());
    }
    moved = !to_server.empty() || !to_client.empty();
  }
}

void Pair::advance(Duration by) {
  clock.advance(by);
  host->run_timers();
  if (session->deadline() <= clock.now()) session->on_deadline(clock.now());
}

std::uint64_t Pair::refused(const std::string& cause) {
  for (const auto& family : registry.snapshot()) {
    if (family.name != "protean_transport_refusals") continue;
    for (const auto& member : family.members) {
      if (member.labels == metrics::Labels{{"cause", cause}}) return member.counter->value();
    }
  }
  return 0;
}

void Pair::send_raw(std::string_view bytes) { session->on_bytes(std::as_bytes(std::span(bytes))); }

std::string framed(std::string_view message, bool compressed) {
  const auto prefix = grpc::encode_prefix({compressed, static_cast<std::uint32_t>(message.size())});
  std::string out(reinterpret_cast<const char*>(prefix.data()), prefix.size());
  return out.append(message);
}

FieldPairs http_fields(std::string_view method, std::string_view path, FieldPairs more) {
  FieldPairs fields = {{":method", std::string(method)},
                       {":scheme", "http"},
                       {":authority", "models.test:8080"},
                       {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

FieldPairs grpc_fields(std::string_view path, FieldPairs more) {
  FieldPairs fields = http_fields("POST", path, {{"content-type", "application/grpc"}, {"te", "trailers"}});
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

}  // namespace protean::http2
