// SPDX-License-Identifier: Apache-2.0
// Bytes into an HTTP/2 session. The first byte chooses limits and how the rest is read: as the bytes of a connection,
// or as short records that become frames (so that mutations stay frames) and events: time passes, the server drains,
// answers come late. Whatever comes, nothing is held at the end.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "transport/session_factories.h"
#include "transport/session_test_support.h"

namespace protean {
namespace {

constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
constexpr std::size_t kRecordHeadBytes = 4;
/// Types of records that are no frames.
enum class Event : std::uint8_t { kAnswerKept = 0xF9, kDropKept, kPeerFinished, kDrain, kTakeOutput, kTimePasses };

/// Echoes messages; what a test of a stream usually does.
struct Echo final : MessageStreamHandler {
  void on_message(Slice message) override {
    Response response;
    response.body.push_back(std::move(message));
    stream->send(std::move(response));
    stream->next();
  }
  void on_half_close() override { stream->finish(std::nullopt, ""); }
  void on_cancel() override { stream.reset(); }
  std::shared_ptr<MessageStream> stream;
};

/// Echoes bodies, every third one later.
struct Handler final : RequestHandler {
  [[nodiscard]] BodyMode body_mode(const RequestHead& head) const override {
    return head.path.ends_with('S') ? BodyMode::kMessages : BodyMode::kWhole;
  }
  void on_exchange(std::shared_ptr<Exchange> exchange) override {
    if (++count % 3 == 0) {
      kept.push_back(std::move(exchange));
    } else {
      answer(*exchange);
    }
  }
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream> stream) override {
    auto echo = std::make_shared<Echo>();
    stream->next();
    echo->stream = std::move(stream);
    return echo;
  }
  void answer(Exchange& exchange) const {
    Response response = make_response(200, "text/plain", exchange.body());
    if (count % 2 == 0) return exchange.respond(std::move(response));
    exchange.start(std::move(response));
    exchange.write(Slice::of_static("piece"), nullptr);
    exchange.finish();
  }
  void answer_kept() {
    for (const auto& exchange : std::exchange(kept, {})) answer(*exchange);
  }
  std::vector<std::shared_ptr<Exchange>> kept;
  unsigned count = 0;
};

/// The whole server side of one connection.
struct Rig {
  explicit Rig(std::uint8_t setting) {
    Limits limits;
    limits.body_bytes_max = (setting & 2) != 0 ? 64 : 100'000;
    limits.header_bytes_max = (setting & 4) != 0 ? 256 : 16'384;
    limits.streams_max = (setting & 8) != 0 ? 2 : 100;
    limits.output_bytes_max = (setting & 16) != 0 ? 500 : 1'000'000;
    context = {&handler, limits, &memory, &clock, &metrics};
    host = std::make_shared<testing::MemoryHost>(context);
    session = make_http2_session(*host);
  }
  void take_output() {
    do {
      host->take_output();
      session->on_output_drained();
    } while (!host->output().empty());
  }
  void pass(std::chrono::seconds by) {
    clock.advance(by);
    host->run_timers();
    if (session->deadline() <= clock.now()) session->on_deadline(clock.now());
  }

  metrics::Registry registry;
  TransportMetrics metrics{registry};
  MemoryBudget memory{300'000};
  testing::ManualClock clock;
  Handler handler;
  TransportContext context;
  std::shared_ptr<testing::MemoryHost> host;
  std::unique_ptr<Session> session;
};

void feed(Rig& rig, std::string_view bytes) {
  if (rig.session->wants_close()) return;
  rig.session->on_bytes(std::as_bytes(std::span(bytes)));
}

void play_record(Rig& rig, std::string_view head, std::string_view payload) {
  const auto type = static_cast<std::uint8_t>(head[0]);
  switch (static_cast<Event>(type)) {
    case Event::kAnswerKept: return rig.handler.answer_kept();
    case Event::kDropKept: return rig.handler.kept.clear();
    case Event::kPeerFinished: return rig.session->on_peer_finished();
    case Event::kDrain: return rig.session->drain();
    case Event::kTakeOutput: return rig.take_output();
    case Event::kTimePasses: return rig.pass(std::chrono::seconds(head[1] & 0x7F));
    default: break;
  }
  std::string frame(2, '\0');
  frame += static_cast<char>(payload.size());
  frame.append(head.substr(0, 2)).append(3, '\0').append(head.substr(2, 1)).append(payload);
  feed(rig, frame);
}

void play_records(Rig& rig, std::string_view bytes) {
  feed(rig, kPreface);
  while (bytes.size() >= kRecordHeadBytes) {
    const std::string_view head = bytes.substr(0, kRecordHeadBytes);
    bytes.remove_prefix(kRecordHeadBytes);
    const std::size_t count = std::min<std::size_t>(static_cast<std::uint8_t>(head[3]), bytes.size());
    play_record(rig, head, bytes.substr(0, count));
    bytes.remove_prefix(count);
  }
}

void play_bytes(Rig& rig, std::string_view bytes, std::size_t piece) {
  while (!bytes.empty()) {
    feed(rig, bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
}

}  // namespace
}  // namespace protean

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace protean;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  Rig rig(data[0]);
  if ((data[0] & 1) != 0) {
    play_records(rig, bytes);
  } else {
    play_bytes(rig, bytes, std::size_t{1} + data[1]);
  }
  rig.take_output();
  rig.handler.answer_kept();
  rig.take_output();
  rig.session->on_closed();
  PROTEAN_CHECK(rig.session->in_flight() == 0);
  rig.session.reset();
  rig.handler.kept.clear();
  PROTEAN_CHECK(rig.memory.held() == 0);
  PROTEAN_CHECK(rig.host->timers() == 0);
  return 0;
}
