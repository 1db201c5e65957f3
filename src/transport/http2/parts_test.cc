// SPDX-License-Identifier: Apache-2.0
// The small parts of a session, each on its own.
#include <gtest/gtest.h>

#include <string>

#include "transport/http2/body_collector.h"
#include "transport/http2/closed_streams.h"
#include "transport/http2/fields.h"
#include "transport/http2/flood_guard.h"
#include "transport/http2/frame_scanner.h"
#include "transport/http2/head_reader.h"
#include "transport/http2/outbound.h"

namespace protean::http2 {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string drain(OutputQueue& queue) {
  std::string out;
  iovec vectors[8];
  const std::size_t used = queue.gather(vectors);
  for (std::size_t i = 0; i < used; ++i) out.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  queue.consume(out.size(), TimePoint{});
  return out;
}

TEST(Http2BodyCollector, ChargesWhatHasComeNotWhatIsAnnounced) {
  MemoryBudget memory(std::size_t{1} << 30);
  BodyCollector body(memory);
  body.expect(std::size_t{1} << 29);
  EXPECT_EQ(body.add(bytes("x"), std::size_t{1} << 29), BodyCollector::Added::kOk);
  EXPECT_LE(memory.held(), std::size_t{64} << 10);
}

TEST(Http2BodyCollector, TakesExactlyTheLimit) {
  MemoryBudget memory(1000);
  BodyCollector body(memory);
  EXPECT_EQ(body.add(bytes("12345"), 10), BodyCollector::Added::kOk);
  EXPECT_EQ(body.add(bytes("678901"), 10), BodyCollector::Added::kTooLarge);
  EXPECT_EQ(body.add(bytes("67890"), 10), BodyCollector::Added::kOk);
  const Slice slice = body.take();
  EXPECT_EQ(slice.text(), "1234567890");
  EXPECT_GE(slice.padding, kBufferPadding);
  EXPECT_EQ(memory.held(), 10U);
}

TEST(Http2BodyCollector, SaysWhenTheBudgetIsSpent) {
  MemoryBudget memory(4);
  BodyCollector body(memory);
  EXPECT_EQ(body.add(bytes("12345"), 10), BodyCollector::Added::kNoMemory);
}

TEST(Http2ClosedStreams, KnowsWhatFramesOnClosedStreamsMean) {
  ClosedStreams streams;
  streams.opened(9);
  streams.closed(3);
  streams.closed(5);
  streams.reset_by_us(5);
  EXPECT_EQ(streams.verdict(11), NGHTTP2_NO_ERROR);  // opens a stream
  EXPECT_EQ(streams.verdict(3), NGHTTP2_STREAM_CLOSED);
  EXPECT_EQ(streams.verdict(5), NGHTTP2_NO_ERROR);        // on its way when we reset it
  EXPECT_EQ(streams.verdict(7), NGHTTP2_PROTOCOL_ERROR);  // skipped, so closed for ever
}

TEST(Http2ClosedStreams, IsLenientAboutWhatItHasForgotten) {
  ClosedStreams streams;
  for (std::int32_t id = 1; id < 201; id += 2) {
    streams.opened(id);
    streams.closed(id);
    streams.reset_by_us(id);
  }
  EXPECT_EQ(streams.verdict(1), NGHTTP2_NO_ERROR);
  EXPECT_EQ(streams.verdict(199), NGHTTP2_NO_ERROR);
}

TEST(Http2FloodGuard, RefillsWithTimeAndWork) {
  FloodGuard guard(2, 1);
  TimePoint now{std::chrono::hours(1)};
  EXPECT_TRUE(guard.allow(now));
  EXPECT_TRUE(guard.allow(now));
  EXPECT_FALSE(guard.allow(now));
  now += std::chrono::seconds(2);
  EXPECT_TRUE(guard.allow(now));
  EXPECT_FALSE(guard.allow(now));
  guard.refund(2);
  EXPECT_TRUE(guard.allow(now));
}

TEST(Http2FrameScanner, FindsHeadsHoweverTheBytesAreCut) {
  std::string stream = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  stream += std::string("\0\0\0\4\0\0\0\0\0", 9);           // SETTINGS
  stream += std::string("\0\0\2\0\1\x80\0\1\3", 9) + "xy";  // DATA, reserved bit set, stream 259
  stream += std::string("\0\0\0\4\1\0\0\0\0", 9);
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    FrameScanner scanner;
    std::string found;
    for (std::size_t from = 0; from < stream.size(); from += step) {
      const auto part = bytes(std::string_view(stream).substr(from, step));
      for (std::size_t at = 0; at < part.size();) {
        const auto head = scanner.next(part, at);
        if (!head) break;
        found += std::to_string(head->type) + ":" + std::to_string(head->length) + ":" + std::to_string(head->flags) +
                 ":" + std::to_string(head->stream_id) + " ";
      }
    }
    EXPECT_EQ(found, "4:0:0:0 0:2:1:259 4:0:1:0 ") << step;
  }
}

TEST(Http2Outbound, SendsPrefixesAndPartsInPieces) {
  for (std::size_t step = 1; step < 20; ++step) {
    Outbound out;
    std::vector<Slice> parts = {Slice::of_static("one "), Slice::of_static("two")};
    out.push_message(std::move(parts), false);
    out.push_message({}, true);
    out.push(Slice::of_static("!"));
    std::string sent;
    while (out.size() > 0) {
      OutputQueue queue;
      out.move_to(queue, std::min(step, out.size()));
      sent += drain(queue);
    }
    EXPECT_EQ(sent, std::string("\0\0\0\0\7one two\1\0\0\0\0!", 18)) << step;
  }
}

HeadReader read(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  HeadReader reader;
  for (const auto& [name, value] : fields) reader.add(name, value, 10'000);
  return reader;
}

TEST(Http2Outbound, HoldsAnOwnerUntilItsMessageIsSent) {
  Outbound outbound;
  OutputQueue queue;
  const auto owner = std::make_shared<int>(1);
  outbound.push_message({Slice::of("abc")}, false);
  outbound.hold(owner);
  outbound.push_message({Slice::of("d")}, false);
  outbound.move_to(queue, 7);
  EXPECT_EQ(owner.use_count(), 2);
  outbound.move_to(queue, 1);
  queue.consume(7, TimePoint{});
  EXPECT_EQ(owner.use_count(), 2) << "one byte of the message is not sent";
  queue.consume(1, TimePoint{});
  EXPECT_EQ(owner.use_count(), 1);
}

TEST(Http2HeadReader, SplitsTheTarget) {
  HeadReader reader =
      read({{":method", "GET"}, {":scheme", "https"}, {":authority", "[::1]:8080"}, {":path", "/a%2Fb?c?d"}});
  EXPECT_EQ(reader.finish(false, 65536).status, 0);
  EXPECT_EQ(reader.head.path, "/a%2Fb");
  EXPECT_EQ(reader.head.query, "c?d");
  EXPECT_EQ(reader.head.scheme_host, "https://[::1]:8080");
}

TEST(Http2HeadReader, TakesTheHostFieldWhenThereIsNoAuthority) {
  HeadReader reader = read({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "models.test"}});
  EXPECT_EQ(reader.finish(true, 65536).status, 0);
  EXPECT_EQ(reader.head.scheme_host, "https://models.test");
}

TEST(Http2HeadReader, RefusesOddRequests) {
  EXPECT_EQ(read({{":method", "CONNECT"}, {":authority", "a:1"}}).finish(false, 65536).status, 501);
  EXPECT_EQ(
      read({{":method", "GET"}, {":scheme", "ftp"}, {":authority", "a"}, {":path", "/"}}).finish(false, 65536).status,
      400);
  EXPECT_EQ(
      read({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "*"}}).finish(false, 65536).status,
      400);
  EXPECT_EQ(read({{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "a"}, {":path", "*"}})
                .finish(false, 65536)
                .status,
            0);
  EXPECT_EQ(read({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}).finish(false, 65536).status, 400);
  EXPECT_EQ(read({{":method", "GET"}, {":scheme", "http"}, {":authority", "a\"b"}, {":path", "/"}})
                .finish(false, 65536)
                .status,
            400);
}

TEST(Http2Fields, LeavesOutWhatHttp2Forbids) {
  const std::vector<std::pair<std::string, std::string>> headers = {{"Transfer-Encoding", "chunked"},
                                                                    {"X-Ok", "1"},
                                                                    {"bad name", "1"},
                                                                    {":status", "1"},
                                                                    {"x-bad", std::string("a\0b", 3)}};
  Fields fields;
  fields.add_all(headers);
  ASSERT_EQ(fields.view().size(), 1U);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(fields.view()[0].name), fields.view()[0].namelen), "X-Ok");
  EXPECT_EQ(status_digits(418), "418");
}

}  // namespace
}  // namespace protean::http2
