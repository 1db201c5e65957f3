// SPDX-License-Identifier: Apache-2.0
// What an HTTP/2 session does with clients that are slow, greedy or hostile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/http2/session_test_support.h"

namespace protean::http2 {
namespace {

using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string frame(std::uint8_t type, std::uint8_t flags, std::int32_t id, std::string_view payload) {
  std::string out;
  for (const unsigned shift : {16U, 8U, 0U}) out += static_cast<char>((payload.size() >> shift) & 0xFF);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>((id >> shift) & 0xFF);
  return out.append(payload);
}

/// HEADERS of `GET / http` with :authority `test`, in HPACK's static table (RFC 7541 Appendix A).
std::string get_request(std::int32_t id, bool end = true) {
  constexpr std::string_view kFields = "\x82\x86\x84\x41\x04test";
  return frame(NGHTTP2_HEADERS,
               static_cast<std::uint8_t>(NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0)), id, kFields);
}

std::string reset_frame(std::int32_t id) { return frame(NGHTTP2_RST_STREAM, 0, id, std::string_view("\0\0\0\x08", 4)); }

std::string hello() { return std::string(kPreface) + frame(NGHTTP2_SETTINGS, 0, 0, ""); }

/// The error code of the last GOAWAY among the frames that the session sent; -1 when there is none.
std::int64_t goaway_code(std::string_view output) {
  std::int64_t code = -1;
  for (std::size_t at = 0; at + 9 <= output.size();) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(output[at + i]); };
    const std::size_t length =
        static_cast<std::size_t>(octet(0)) << 16 | static_cast<std::size_t>(octet(1)) << 8 | octet(2);
    if (octet(3) == NGHTTP2_GOAWAY) code = octet(16);
    at += 9 + length;
  }
  return code;
}

/// Bytes into a session without a client.
struct Raw : Pair {
  explicit Raw(Limits limits = {}) : Pair(limits) { send_raw(hello()); }
  std::string exchange(std::string_view bytes) {
    send_raw(bytes);
    return host->take_output();
  }
};

TEST(Http2Limits, RefusesABodyFromItsAnnouncedLength) {
  Limits limits;
  limits.body_bytes_max = 1000;
  Pair pair(limits);
  const auto id = pair.request(http_fields("POST", "/", {{"content-length", "1001"}}), "", false);
  pair.run();
  EXPECT_EQ(pair.answer(id).field(":status"), "413");
  EXPECT_THAT(pair.answer(id).body, HasSubstr("1001 bytes, expected at most 1000 (body-bytes-max)"));
  EXPECT_TRUE(pair.answer(id).ended);
  EXPECT_FALSE(pair.answer(id).closed);  // curl 7.88 would drop an answer that a reset follows at once
  pair.advance(std::chrono::seconds(1));
  pair.run();
  EXPECT_EQ(pair.answer(id).error_code, NGHTTP2_NO_ERROR);
  EXPECT_TRUE(pair.answer(id).closed);
  EXPECT_EQ(pair.refused("body_too_large"), 1U);
}

TEST(Http2Limits, RefusesAnUnannouncedBodyAtTheLimit) {
  Limits limits;
  limits.body_bytes_max = 1000;
  Pair pair(limits);
  const auto fits = pair.request(http_fields("POST", "/"), std::string(1000, 'x'));
  const auto over = pair.request(http_fields("POST", "/"), std::string(1001, 'x'), false);
  pair.run();
  EXPECT_THAT(pair.handler.exchanges, SizeIs(1));
  EXPECT_FALSE(pair.answer(fits).ended);
  EXPECT_EQ(pair.answer(over).field(":status"), "413");
  pair.handler.exchanges.clear();
  EXPECT_EQ(pair.memory.held(), 0U);
}

TEST(Http2Limits, RefusesBodiesWhenTheMemoryBudgetIsSpent) {
  Pair pair({}, 100'000);
  const auto first = pair.request(http_fields("POST", "/"), std::string(80'000, 'x'));
  pair.run();
  const auto second = pair.request(http_fields("POST", "/"), std::string(80'000, 'x'));
  const auto call = pair.call("/Unary", std::string(80'000, 'x'));
  pair.run();
  EXPECT_EQ(pair.answer(second).field(":status"), "503");
  EXPECT_EQ(pair.answer(call).grpc("grpc-status"), "14");
  EXPECT_EQ(pair.refused("memory"), 2U);
  pair.handler.exchanges[0]->respond(make_response(200, "text/plain", {}));
  pair.handler.exchanges.clear();
  pair.run();
  EXPECT_EQ(pair.answer(first).field(":status"), "200");
  EXPECT_EQ(pair.memory.held(), 0U);
}

TEST(Http2Limits, RefusesAFieldListOverTheLimit) {
  Limits limits;
  limits.header_bytes_max = 2000;
  Pair pair(limits);
  const auto id = pair.request(http_fields("GET", "/", {{"x-long", std::string(2000, 'x')}}));
  pair.run();
  EXPECT_EQ(pair.answer(id).field(":status"), "431");
  EXPECT_THAT(pair.answer(id).body, HasSubstr("expected at most 2000 (header-bytes-max)"));
  EXPECT_THAT(pair.handler.exchanges, IsEmpty());
  EXPECT_EQ(pair.refused("head_too_large"), 1U);
}

TEST(Http2Limits, RefusesHeadsThatNameTwoHostsOrNone) {
  Pair pair;
  const auto two = pair.request(http_fields("GET", "/", {{"host", "other.test"}}));
  const auto same = pair.request(http_fields("GET", "/", {{"host", "models.test:8080"}}));
  const auto user = pair.request({{":method", "GET"}, {":scheme", "http"}, {":authority", "a@b"}, {":path", "/"}});
  pair.run();
  EXPECT_EQ(pair.answer(two).field(":status"), "400");
  EXPECT_NE(pair.answer(user).field(":status"), "200");
  EXPECT_FALSE(pair.answer(same).ended);
  EXPECT_THAT(pair.handler.exchanges, SizeIs(1));
}

TEST(Http2Limits, RefusesStreamsBeyondTheLimit) {
  Limits limits;
  limits.streams_max = 2;
  Raw raw(limits);
  raw.exchange(frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""));
  raw.exchange(get_request(1) + get_request(3) + get_request(5));
  EXPECT_THAT(raw.handler.exchanges, SizeIs(2));
}

TEST(Http2Limits, RefusesNewStreamsWhileTooManyAbandonedOnesAreWorkedOn) {
  Limits limits;
  limits.streams_max = 2;
  Raw raw(limits);
  for (std::int32_t id = 1; id <= 19; id += 2) {
    raw.exchange(get_request(id));
    raw.exchange(reset_frame(id));
  }
  EXPECT_THAT(raw.handler.exchanges, SizeIs(4));
  EXPECT_EQ(raw.session->in_flight(), 0U);
}

TEST(Http2Limits, DoesNotHandOutWhatIsResetInTheSameRead) {
  Raw raw;
  raw.exchange(get_request(1) + reset_frame(1) + get_request(3));
  ASSERT_THAT(raw.handler.exchanges, SizeIs(1));
  EXPECT_EQ(raw.session->in_flight(), 1U);
}

TEST(Http2Limits, EndsAConnectionThatResetsStreamsAllTheTime) {
  Raw raw;
  std::string output;
  for (std::int32_t id = 1; id < 4000 && !raw.session->wants_close(); id += 2) {
    output += raw.exchange(get_request(id) + reset_frame(id));
  }
  EXPECT_NE(goaway_code(output), -1);
  EXPECT_TRUE(raw.session->wants_close());
}

TEST(Http2Limits, EndsAConnectionWhoseStreamsMustBeResetAllTheTime) {
  Raw raw;
  std::string output;
  for (std::int32_t id = 1; id < 4000 && !raw.session->wants_close(); id += 2) {
    // A window of 2^31 is a stream error (RFC 9113 6.9.1): the server resets what it is working on.
    output += raw.exchange(get_request(id) + frame(NGHTTP2_WINDOW_UPDATE, 0, id, "\x7F\xFF\xFF\xFF"));
  }
  EXPECT_EQ(goaway_code(output), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_TRUE(raw.session->wants_close());
}

TEST(Http2Limits, EndsAConnectionThatFloods) {
  for (const auto& flood :
       {frame(NGHTTP2_PING, 0, 0, "12345678"), frame(NGHTTP2_SETTINGS, 0, 0, ""), frame(NGHTTP2_DATA, 0, 1, ""),
        frame(0xBB, 0, 0, "unknown"), frame(NGHTTP2_PRIORITY, 0, 7, std::string_view("\0\0\0\0\1", 5))}) {
    Raw raw;
    raw.exchange(get_request(1, false));
    std::string output;
    for (int i = 0; i < 1200 && !raw.session->wants_close(); ++i) output += raw.exchange(flood);
    EXPECT_EQ(goaway_code(output), NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_TRUE(raw.session->wants_close());
  }
}

TEST(Http2Limits, StopsReadingBehindAPeerThatDoesNotRead) {
  Raw raw;
  raw.handler.on_request = [](auto exchange) {
    exchange->respond(make_response(200, "text/plain", Slice::of(std::string(60'000, 'x'))));
  };
  raw.exchange(frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string_view("\x10\0\0\0", 4)));
  std::int32_t id = 1;
  for (; id < 20'000 && raw.session->wants_read(); id += 2) raw.send_raw(get_request(id));
  EXPECT_FALSE(raw.session->wants_close());
  EXPECT_LT(raw.host->output().size(), std::size_t{3} << 20);
  EXPECT_LT(id, 20'000);
}

TEST(Http2Limits, ReadsAgainWhenTheOutputHasDrained) {
  Limits limits;
  limits.output_bytes_max = 10'000;
  Raw raw(limits);
  raw.handler.on_request = [](auto exchange) {
    exchange->respond(make_response(200, "text/plain", Slice::of(std::string(30'000, 'x'))));
  };
  raw.send_raw(get_request(1));
  EXPECT_FALSE(raw.session->wants_read());
  while (raw.host->output().size() > 0) {
    raw.host->take_output();
    raw.session->on_output_drained();
  }
  EXPECT_TRUE(raw.session->wants_read());
  EXPECT_GE(raw.host->flushes(), 1);
  EXPECT_EQ(raw.session->in_flight(), 0U);
}

TEST(Http2Limits, EndsAConnectionWithEndlessContinuations) {
  Raw raw;
  std::string bytes = frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, "\x82\x86\x84\x41\x04test");
  for (int i = 0; i < 100; ++i) bytes += frame(NGHTTP2_CONTINUATION, 0, 1, std::string_view("\0\1a\1b", 5));
  const std::string output = raw.exchange(bytes);
  EXPECT_NE(goaway_code(output), -1);
  EXPECT_THAT(raw.handler.exchanges, IsEmpty());
}

TEST(Http2Limits, TakesTrailersAsTheEndOfARequest) {
  Raw raw;
  const std::string trailers = frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
                                     std::string_view("\0\5x-sum\1"
                                                      "1",
                                                      9));
  raw.exchange(get_request(1, false) + frame(NGHTTP2_DATA, 0, 1, "body") + trailers);
  ASSERT_THAT(raw.handler.exchanges, SizeIs(1));
  EXPECT_EQ(raw.handler.exchanges[0]->body().text(), "body");
  EXPECT_FALSE(raw.handler.exchanges[0]->head().headers.find("x-sum"));
}

TEST(Http2Limits, TreatsFramesOnClosedStreamsAsErrors) {
  const std::string data = frame(NGHTTP2_DATA, 0, 1, "x");
  Raw after_reset;
  EXPECT_EQ(goaway_code(after_reset.exchange(get_request(1) + reset_frame(1) + data)), NGHTTP2_STREAM_CLOSED);
  Raw again;
  again.exchange(get_request(1) + reset_frame(1));
  EXPECT_EQ(goaway_code(again.exchange(get_request(1))), NGHTTP2_STREAM_CLOSED);
  Raw backwards;
  backwards.exchange(get_request(5));
  EXPECT_EQ(goaway_code(backwards.exchange(get_request(3))), NGHTTP2_PROTOCOL_ERROR);
  EXPECT_EQ(backwards.refused("malformed"), 1U);
}

TEST(Http2Limits, IgnoresWhatWasOnTheWayWhenItResetAStream) {
  Limits limits;
  limits.body_bytes_max = 10;
  Raw raw(limits);
  raw.exchange(get_request(1, false));
  const std::string data = frame(NGHTTP2_DATA, 0, 1, "more than ten bytes");
  raw.exchange(data);
  raw.advance(seconds(1));
  raw.host->take_output();
  EXPECT_EQ(raw.session->in_flight(), 0U);
  EXPECT_EQ(goaway_code(raw.exchange(data)), -1);
  EXPECT_FALSE(raw.session->wants_close());
}

TEST(Http2Limits, EndsAConnectionThatDoesNotSpeakHttp2) {
  Pair pair;
  pair.host->take_output();
  pair.send_raw("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
  EXPECT_EQ(goaway_code(pair.host->take_output()), NGHTTP2_PROTOCOL_ERROR);
  EXPECT_TRUE(pair.session->wants_close());
}

TEST(Http2Limits, EndsAConnectionWhoseHeadDoesNotEnd) {
  Raw raw;
  raw.exchange(frame(NGHTTP2_HEADERS, 0, 1, "\x82"));
  raw.advance(seconds(9));
  EXPECT_FALSE(raw.session->wants_close());
  raw.advance(seconds(1));
  EXPECT_EQ(goaway_code(raw.host->take_output()), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(raw.session->wants_close());
  EXPECT_EQ(raw.refused("timeout"), 1U);
}

TEST(Http2Limits, EndsAConnectionWithoutAPreface) {
  Pair pair;
  pair.advance(seconds(10));
  pair.host->take_output();
  EXPECT_TRUE(pair.session->wants_close());
}

TEST(Http2Limits, EndsAnIdleConnection) {
  Raw raw;
  raw.advance(seconds(119));
  EXPECT_FALSE(raw.session->wants_close());
  raw.advance(seconds(1));
  EXPECT_EQ(goaway_code(raw.host->take_output()), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(raw.session->wants_close());
}

TEST(Http2Limits, RefusesABodyThatStopsComing) {
  Pair pair;
  const auto id = pair.request(http_fields("POST", "/"), "begun", false);
  const auto call = pair.request(grpc_fields("/Unary"), framed("begun").substr(0, 7), false);
  pair.run();
  pair.advance(seconds(29));
  pair.send(id, " and going on");
  pair.run();
  pair.advance(seconds(29));
  pair.run();
  EXPECT_EQ(pair.answer(call).grpc("grpc-status"), "1");
  EXPECT_FALSE(pair.answer(id).ended);
  pair.advance(seconds(1));
  pair.run();
  EXPECT_EQ(pair.answer(id).field(":status"), "408");
  EXPECT_EQ(pair.refused("timeout"), 2U);
}

TEST(Http2Limits, ResetsAnAnswerThatNobodyTakes) {
  Pair pair({}, std::size_t{1} << 30, 10);
  pair.auto_window = false;
  pair.handler.on_request = [](auto exchange) {
    exchange->respond(make_response(200, "text/plain", Slice::of(std::string(100, 'x'))));
  };
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  for (int i = 0; i < 8; ++i) pair.advance(seconds(8));
  pair.run();
  EXPECT_EQ(pair.answer(id).error_code, NGHTTP2_CANCEL);
  EXPECT_EQ(pair.session->in_flight(), 0U);
}

TEST(Http2Limits, LetsAWorkingRequestTakeItsTime) {
  Pair pair;
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  for (int i = 0; i < 60; ++i) pair.advance(seconds(60));
  EXPECT_FALSE(pair.handler.exchanges[0]->cancelled());
  pair.handler.exchanges[0]->respond(make_response(200, "text/plain", {}));
  pair.run();
  EXPECT_EQ(pair.answer(id).field(":status"), "200");
}

}  // namespace
}  // namespace protean::http2
