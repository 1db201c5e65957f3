// SPDX-License-Identifier: Apache-2.0
// HTTP over one HTTP/2 connection, client and server in memory.
#include "transport/http2/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/content_coding.h"
#include "transport/http2/session_test_support.h"

namespace protean::http2 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Response text_response(std::string text) { return make_response(200, "text/plain", Slice::of(std::move(text))); }

TEST(Http2Session, HandsOutAWholeRequestAndSendsItsAnswer) {
  Pair pair;
  const auto id = pair.request(http_fields("POST", "/v2/models/iris/infer?trace=1", {{"x-id", "7"}}), "body");
  pair.run();
  ASSERT_THAT(pair.handler.exchanges, SizeIs(1));
  const Exchange& exchange = *pair.handler.exchanges[0];
  EXPECT_EQ(exchange.head().wire, Wire::kHttp2);
  EXPECT_EQ(exchange.head().method, "POST");
  EXPECT_EQ(exchange.head().path, "/v2/models/iris/infer");
  EXPECT_EQ(exchange.head().query, "trace=1");
  EXPECT_EQ(exchange.head().headers.find("X-Id"), "7");
  EXPECT_EQ(exchange.head().scheme_host, "http://models.test:8080");
  EXPECT_EQ(exchange.head().peer, "192.0.2.1:1234");
  EXPECT_EQ(exchange.body().text(), "body");
  EXPECT_GE(exchange.body().padding, kBufferPadding);
  EXPECT_EQ(pair.session->in_flight(), 1U);

  Response response = text_response("answer");
  response.headers.emplace_back("X-Mixed-Case", "kept");
  response.headers.emplace_back("Connection", "close");
  response.headers.emplace_back("x-broken", "two\r\nlines");
  pair.handler.exchanges[0]->respond(std::move(response));
  EXPECT_EQ(pair.host->flushes(), 1);
  pair.run();
  const Answer& answer = pair.answer(id);
  EXPECT_EQ(answer.field(":status"), "200");
  EXPECT_EQ(answer.field("content-type"), "text/plain");
  EXPECT_EQ(answer.field("content-length"), "6");
  EXPECT_THAT(answer.field("date"), HasSubstr("GMT"));
  EXPECT_EQ(answer.field("x-mixed-case"), "kept");
  EXPECT_EQ(answer.field("connection"), "");
  EXPECT_EQ(answer.field("x-broken"), "");
  EXPECT_EQ(answer.body, "answer");
  EXPECT_TRUE(answer.closed);
  EXPECT_EQ(pair.session->in_flight(), 0U);
}

TEST(Http2Session, AnswersOutOfOrder) {
  Pair pair;
  const auto first = pair.request(http_fields("GET", "/1"));
  const auto second = pair.request(http_fields("GET", "/2"));
  pair.run();
  ASSERT_THAT(pair.handler.exchanges, SizeIs(2));
  pair.handler.exchanges[1]->respond(text_response("two"));
  pair.run();
  EXPECT_TRUE(pair.answer(second).closed);
  EXPECT_FALSE(pair.answer(first).closed);
  pair.handler.exchanges[0]->respond(text_response("one"));
  pair.run();
  EXPECT_EQ(pair.answer(first).body, "one");
}

TEST(Http2Session, SendsTheHeadOfAHeadRequestOnly) {
  Pair pair;
  pair.handler.on_request = [](auto exchange) { exchange->respond(text_response("answer")); };
  const auto id = pair.request(http_fields("HEAD", "/"));
  pair.run();
  EXPECT_EQ(pair.answer(id).field("content-length"), "6");
  EXPECT_EQ(pair.answer(id).body, "");
  EXPECT_TRUE(pair.answer(id).closed);
}

TEST(Http2Session, SendsNoBodyAndNoLengthWith204) {
  Pair pair;
  pair.handler.on_request = [](auto exchange) {
    Response response;
    response.status = 204;
    exchange->respond(std::move(response));
  };
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  EXPECT_EQ(pair.answer(id).field(":status"), "204");
  EXPECT_EQ(pair.answer(id).field("content-length"), "");
  EXPECT_TRUE(pair.answer(id).ended);
}

TEST(Http2Session, TakesOnlyTheFirstAnswer) {
  Pair pair;
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  pair.handler.exchanges[0]->respond(text_response("first"));
  pair.handler.exchanges[0]->respond(text_response("second"));
  pair.handler.exchanges[0]->start(text_response("third"));
  pair.run();
  EXPECT_EQ(pair.answer(id).body, "first");
}

TEST(Http2Session, AnswersForAnExchangeThatWasDropped) {
  Pair pair;
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  pair.handler.exchanges.clear();
  pair.run();
  EXPECT_EQ(pair.answer(id).field(":status"), "500");
  EXPECT_THAT(pair.answer(id).body, HasSubstr("dropped"));
}

TEST(Http2Session, StreamsAnAnswerInPieces) {
  Pair pair;
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  Exchange& exchange = *pair.handler.exchanges[0];
  exchange.start(make_response(200, "text/plain", Slice::of_static("one ")));
  pair.run();
  EXPECT_EQ(pair.answer(id).body, "one ");
  EXPECT_EQ(pair.answer(id).field("content-length"), "");
  exchange.write(Slice::of_static("two "), nullptr);
  exchange.write(Slice::of_static("three"), nullptr);
  pair.run();
  EXPECT_EQ(pair.answer(id).body, "one two three");
  EXPECT_FALSE(pair.answer(id).ended);
  exchange.finish();
  exchange.write(Slice::of_static("late"), nullptr);
  pair.run();
  EXPECT_TRUE(pair.answer(id).closed);
  EXPECT_EQ(pair.answer(id).body, "one two three");
}

TEST(Http2Session, ResetsAStreamedAnswerThatIsDropped) {
  Pair pair;
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  pair.handler.exchanges[0]->start(text_response("half"));
  pair.handler.exchanges.clear();
  pair.run();
  EXPECT_FALSE(pair.answer(id).ended);
  EXPECT_EQ(pair.answer(id).error_code, NGHTTP2_INTERNAL_ERROR);
}

TEST(Http2Session, MovesLargeBodiesBothWays) {
  Pair pair;
  std::string body(5'000'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 + i / 251);
  pair.handler.on_request = [](auto exchange) {
    Response response = make_response(200, "application/octet-stream", exchange->body());
    response.body.push_back(Slice::of_static("!"));
    exchange->respond(std::move(response));
  };
  const auto announced =
      pair.request(http_fields("POST", "/", {{"content-length", std::to_string(body.size())}}), body);
  const auto unannounced = pair.request(http_fields("POST", "/"), body);
  pair.run();
  EXPECT_TRUE(pair.answer(announced).body == body + "!");
  EXPECT_TRUE(pair.answer(unannounced).body == body + "!");
  EXPECT_EQ(pair.memory.held(), 0U);
}

TEST(Http2Session, AsksForTheBodyOfAClientThatExpectsTo) {
  Pair pair;
  const auto id =
      pair.request(http_fields("POST", "/", {{"expect", "100-continue"}, {"content-length", "2"}}), "", false);
  pair.run();
  EXPECT_THAT(pair.answer(id).informational, ElementsAre("100"));
  pair.send(id, "ok", true);
  pair.run();
  ASSERT_THAT(pair.handler.exchanges, SizeIs(1));
  EXPECT_EQ(pair.handler.exchanges[0]->body().text(), "ok");
}

TEST(Http2Session, UndoesTheContentCodingOfARequest) {
  Pair pair;
  const std::string text(10'000, 'a');
  const std::array parts = {Slice::of(text)};
  const Slice coded = encode_body(Coding::kGzip, parts);
  pair.request(http_fields("POST", "/", {{"content-encoding", "gzip"}}), std::string(coded.text()));
  const auto unknown = pair.request(http_fields("POST", "/", {{"content-encoding", "br"}}), "x");
  const auto corrupt = pair.request(http_fields("POST", "/", {{"content-encoding", "gzip"}}), "not gzip");
  pair.run();
  ASSERT_THAT(pair.handler.exchanges, SizeIs(1));
  EXPECT_EQ(pair.handler.exchanges[0]->body().text(), text);
  EXPECT_EQ(pair.answer(unknown).field(":status"), "415");
  EXPECT_EQ(pair.answer(unknown).field("accept-encoding"), kAcceptedCodings);
  EXPECT_EQ(pair.answer(corrupt).field(":status"), "400");
}

TEST(Http2Session, CompressesAnAnswerWhenAsked) {
  Pair pair;
  pair.handler.on_request = [](auto exchange) { exchange->respond(text_response(std::string(10'000, 'a'))); };
  const auto id = pair.request(http_fields("GET", "/", {{"accept-encoding", "gzip"}}));
  pair.run();
  EXPECT_EQ(pair.answer(id).field("content-encoding"), "gzip");
  const auto body = decode_body(Coding::kGzip, Slice::of(pair.answer(id).body), 20'000);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->text(), std::string(10'000, 'a'));
}

TEST(Http2Session, CancelsTheExchangeOfAResetStream) {
  Pair pair;
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  pair.reset(id);
  pair.run();
  EXPECT_TRUE(pair.handler.exchanges[0]->cancelled());
  EXPECT_EQ(pair.session->in_flight(), 0U);
  EXPECT_EQ(pair.refused("client_left"), 1U);
  pair.handler.exchanges[0]->respond(text_response("nobody reads this"));
  pair.run();
  EXPECT_EQ(pair.answer(id).body, "");
}

TEST(Http2Session, CancelsEverythingWhenTheConnectionIsGone) {
  Pair pair;
  pair.request(http_fields("GET", "/"));
  pair.run();
  pair.session->on_closed();
  EXPECT_TRUE(pair.handler.exchanges[0]->cancelled());
  pair.session.reset();
  pair.handler.exchanges[0]->respond(text_response("too late"));
  EXPECT_EQ(pair.host->output().size(), 0U);
  pair.handler.exchanges.clear();
}

TEST(Http2Session, FinishesRequestsUnderWayWhenThePeerHasSentItsLastByte) {
  Pair pair;
  const auto whole = pair.request(http_fields("GET", "/"));
  const auto half = pair.request(http_fields("POST", "/"), "half", false);
  pair.run();
  pair.session->on_peer_finished();
  pair.run();
  EXPECT_EQ(pair.answer(half).error_code, NGHTTP2_CANCEL);
  EXPECT_FALSE(pair.session->wants_close());
  pair.handler.exchanges[0]->respond(text_response("done"));
  pair.run();
  EXPECT_EQ(pair.answer(whole).body, "done");
  EXPECT_TRUE(pair.session->wants_close());
}

TEST(Http2Session, DrainsInTwoSteps) {
  Pair pair;
  const auto before = pair.request(http_fields("GET", "/before"));
  pair.run();
  pair.session->drain();
  const auto meanwhile = pair.request(http_fields("GET", "/meanwhile"));  // sent before the notice arrived
  pair.run();
  EXPECT_THAT(pair.goaways, ElementsAre(NGHTTP2_NO_ERROR, NGHTTP2_NO_ERROR));
  ASSERT_THAT(pair.handler.exchanges, SizeIs(2));
  EXPECT_FALSE(pair.session->wants_close());
  for (const auto& exchange : pair.handler.exchanges) exchange->respond(text_response("done"));
  pair.run();
  EXPECT_EQ(pair.answer(before).body, "done");
  EXPECT_EQ(pair.answer(meanwhile).body, "done");
  EXPECT_TRUE(pair.session->wants_close());
  EXPECT_EQ(pair.host->timers(), 0U);
}

TEST(Http2Session, DrainsAnIdleConnectionWhoseClientIsSilent) {
  Pair pair;
  pair.run();
  pair.session->drain();
  pair.host->take_output();
  EXPECT_FALSE(pair.session->wants_close());
  pair.advance(std::chrono::seconds(1));
  pair.host->take_output();
  EXPECT_TRUE(pair.session->wants_close());
}

TEST(Http2Session, AnswersPings) {
  Pair pair;
  pair.ping();
  pair.run();
  EXPECT_EQ(pair.pongs, 1);
}

TEST(Http2Session, ObservesTheTimeToTheLastByte) {
  Pair pair;
  metrics::Registry registry;
  const std::array<std::uint64_t, 1> bounds = {1'000'000};
  const auto histogram = registry.histogram("x", "x", {}, bounds, 1);
  pair.request(http_fields("GET", "/"));
  pair.run();
  Response response = text_response("x");
  response.write_time = histogram;
  pair.handler.exchanges[0]->respond(std::move(response));
  pair.clock.advance(std::chrono::milliseconds(3));
  pair.run();
  EXPECT_EQ(histogram->sum(), 3'000'000U);
}

TEST(Http2Session, WaitsForTheClientsWindow) {
  Pair pair({}, std::size_t{1} << 30, 1000);
  pair.auto_window = false;
  pair.handler.on_request = [](auto exchange) { exchange->respond(text_response(std::string(5000, 'x'))); };
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  EXPECT_EQ(pair.answer(id).body.size(), 1000U);
  EXPECT_FALSE(pair.answer(id).ended);
  EXPECT_EQ(pair.session->in_flight(), 1U);
}

}  // namespace
}  // namespace protean::http2
