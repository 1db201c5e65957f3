// SPDX-License-Identifier: Apache-2.0
// What text cases cannot say: order among answers, time, memory, threads, and a client that leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "transport/content_coding.h"
#include "transport/session_factories.h"
#include "transport/session_test_support.h"

namespace protean {
namespace {

using ::testing::AllOf;
using testing::answer_with_request;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::SessionRig;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

std::string get(std::string_view path) { return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n"; }

Response text(std::string_view body) { return make_response(200, "text/plain", Slice::of(std::string(body))); }

std::string body_of(std::string_view response) { return std::string(response.substr(response.find("\r\n\r\n") + 4)); }

class Http1SessionTest : public ::testing::Test {
 protected:
  SessionRig rig{make_http1_session};
};

TEST_F(Http1SessionTest, FillsTheHeadOfTheRequest) {
  rig.feed(
      "POST /v2/models/m/infer?x=1&y=2 HTTP/1.1\r\nHost: example.org:8080\r\nX-Id: 7\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_EQ(rig.handler.exchanges.size(), 1U);
  const Exchange& exchange = *rig.handler.exchanges[0];
  EXPECT_EQ(exchange.head().method, "POST");
  EXPECT_EQ(exchange.head().path, "/v2/models/m/infer");
  EXPECT_EQ(exchange.head().query, "x=1&y=2");
  EXPECT_EQ(exchange.head().headers.find("x-id"), "7");
  EXPECT_EQ(exchange.head().scheme_host, "http://example.org:8080");
  EXPECT_EQ(exchange.head().peer, "192.0.2.1:1234");
  EXPECT_EQ(exchange.head().wire, Wire::kHttp1);
  EXPECT_EQ(exchange.head().received_at, rig.clock.now());
  EXPECT_EQ(exchange.body().text(), "abc");
  EXPECT_GE(exchange.body().padding, kBufferPadding);
}

TEST_F(Http1SessionTest, AnswersInTheOrderOfTheRequests) {
  rig.feed(get("/1") + get("/2") + get("/3"));
  ASSERT_EQ(rig.handler.exchanges.size(), 3U);
  EXPECT_EQ(rig.session->in_flight(), 3U);
  rig.handler.exchanges[2]->respond(text("three"));
  rig.handler.exchanges[1]->respond(text("two"));
  EXPECT_EQ(rig.receive(), "");
  rig.handler.exchanges[0]->respond(text("one"));
  const std::string all = rig.receive();
  EXPECT_LT(all.find("one"), all.find("two"));
  EXPECT_LT(all.find("two"), all.find("three"));
  EXPECT_EQ(rig.session->in_flight(), 0U);
}

TEST_F(Http1SessionTest, IgnoresASecondAnswer) {
  rig.feed(kGet);
  rig.handler.exchanges[0]->respond(text("one"));
  rig.handler.exchanges[0]->respond(text("two"));
  EXPECT_THAT(rig.receive(), AllOf(HasSubstr("one"), Not(HasSubstr("two"))));
}

TEST_F(Http1SessionTest, SaysSoWhenNobodyAnswers) {
  rig.feed(kGet);
  rig.handler.exchanges.clear();
  EXPECT_THAT(rig.receive(), StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
  EXPECT_TRUE(rig.session->wants_read());
}

TEST_F(Http1SessionTest, StopsReadingWhenThePipelineIsFullAndResumes) {
  Limits limits;
  limits.pipeline_max = 2;
  SessionRig small(make_http1_session, limits);
  small.feed(get("/1") + get("/2") + get("/3") + get("/4"));
  ASSERT_EQ(small.handler.exchanges.size(), 2U);
  EXPECT_FALSE(small.session->wants_read());
  small.handler.exchanges[0]->respond(text("one"));
  ASSERT_EQ(small.handler.exchanges.size(), 3U);
  EXPECT_EQ(small.handler.exchanges[2]->head().path, "/3");
  for (std::size_t i = 1; i < 4; ++i) small.handler.exchanges[i]->respond(text("x"));
  EXPECT_TRUE(small.session->wants_read());
  EXPECT_EQ(small.session->in_flight(), 0U);
}

TEST_F(Http1SessionTest, StopsReadingWhileTheClientDoesNotTakeItsAnswers) {
  Limits limits;
  limits.output_bytes_max = 1000;
  SessionRig small(make_http1_session, limits);
  small.handler.answer = [](Exchange& e) { e.respond(text(std::string(2000, 'x'))); };
  small.feed(get("/1") + get("/2"));
  EXPECT_FALSE(small.session->wants_read());
  EXPECT_EQ(small.session->in_flight(), 0U);
  EXPECT_GT(small.receive().size(), 4000U);  // the second request was waiting
  EXPECT_TRUE(small.session->wants_read());
}

TEST_F(Http1SessionTest, TakesAnswersFromOtherThreads) {
  rig.feed(get("/1") + get("/2"));
  std::thread other([&] {
    rig.handler.exchanges[1]->respond(text("two"));
    rig.handler.exchanges[0]->respond(text("one"));
  });
  other.join();
  EXPECT_TRUE(rig.host->output().empty());
  const std::string all = rig.receive();
  EXPECT_LT(all.find("one"), all.find("two"));
}

TEST_F(Http1SessionTest, SurvivesAnswersAfterTheConnectionIsGone) {
  rig.feed(kGet);
  const auto exchange = rig.handler.exchanges[0];
  EXPECT_FALSE(exchange->cancelled());
  rig.session->on_closed();
  EXPECT_TRUE(exchange->cancelled());
  rig.session.reset();
  exchange->respond(text("late"));
  std::thread([&] { exchange->finish(); }).join();
  EXPECT_TRUE(rig.host->output().empty());
}

TEST_F(Http1SessionTest, StreamsInChunks) {
  rig.feed(kGet);
  Exchange& exchange = *rig.handler.exchanges[0];
  exchange.start(text("first"));
  EXPECT_THAT(rig.receive(), AllOf(HasSubstr("transfer-encoding: chunked\r\n"), HasSubstr("\r\n\r\n5\r\nfirst\r\n"),
                                   Not(HasSubstr("content-length"))));
  exchange.write(Slice::of(std::string(17, 'x')), nullptr);
  EXPECT_EQ(rig.receive(), "11\r\n" + std::string(17, 'x') + "\r\n");
  exchange.finish();
  EXPECT_EQ(rig.receive(), "0\r\n\r\n");
  EXPECT_TRUE(rig.session->wants_read());
}

TEST_F(Http1SessionTest, LetsGoOfWhatAPieceHoldsOnceItIsSent) {
  rig.feed(kGet);
  Exchange& exchange = *rig.handler.exchanges[0];
  const auto held = std::make_shared<int>(1);
  Response head = text("first");
  head.until_sent = held;
  exchange.start(std::move(head));
  EXPECT_EQ(held.use_count(), 2);
  static_cast<void>(rig.receive());
  EXPECT_EQ(held.use_count(), 1);
  exchange.write(Slice::of("second"), held);
  EXPECT_EQ(held.use_count(), 2);
  static_cast<void>(rig.receive());
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(Http1SessionTest, KeepsAStreamBackUntilItsTurn) {
  rig.feed(get("/1") + get("/2"));
  rig.handler.exchanges[1]->start(text("a"));
  rig.handler.exchanges[1]->write(Slice::of("b"), nullptr);
  rig.handler.exchanges[1]->finish();
  EXPECT_EQ(rig.receive(), "");
  rig.handler.exchanges[0]->respond(text("one"));
  EXPECT_THAT(rig.receive(), AllOf(HasSubstr("one"), HasSubstr("1\r\na\r\n1\r\nb\r\n0\r\n\r\n")));
}

TEST_F(Http1SessionTest, ClosesAfterAStreamThatWasGivenUp) {
  rig.feed(kGet);
  rig.handler.exchanges[0]->start(text("a"));
  rig.handler.exchanges.clear();
  EXPECT_THAT(rig.receive(), Not(HasSubstr("0\r\n\r\n")));
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, EndsAnHttp10StreamByClosing) {
  rig.feed("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  rig.handler.exchanges[0]->start(text("a"));
  rig.handler.exchanges[0]->finish();
  EXPECT_THAT(rig.receive(),
              AllOf(HasSubstr("connection: close\r\n"), Not(HasSubstr("chunked")), ::testing::EndsWith("\r\n\r\na")));
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, AnswersAClientThatClosedItsSide) {
  rig.feed(kGet);
  rig.session->on_peer_finished();
  EXPECT_FALSE(rig.session->wants_close());
  rig.handler.exchanges[0]->respond(text("one"));
  EXPECT_THAT(rig.receive(), HasSubstr("one"));
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, AnswersEverythingPipelinedBeforeTheClientClosedItsSide) {
  Limits limits;
  limits.pipeline_max = 1;
  SessionRig small(make_http1_session, limits);
  small.feed(get("/1") + get("/2"));
  small.session->on_peer_finished();
  small.handler.exchanges[0]->respond(text("one"));
  ASSERT_EQ(small.handler.exchanges.size(), 2U);
  EXPECT_FALSE(small.session->wants_close());
  small.handler.exchanges[1]->respond(text("two"));
  EXPECT_TRUE(small.session->wants_close());
}

TEST_F(Http1SessionTest, ForgetsAHalfSentRequestOfAClientThatLeft) {
  rig.feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_GT(rig.memory.held(), 0U);
  rig.session->on_peer_finished();
  EXPECT_TRUE(rig.session->wants_close());
  EXPECT_EQ(rig.memory.held(), 0U);
}

TEST_F(Http1SessionTest, ReadsLongBodiesIntoTheirOwnMemory) {
  rig.handler.answer = answer_with_request;
  const std::string body(3U << 20, 'b');
  rig.feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_FALSE(rig.session->read_target().empty());
  EXPECT_LE(rig.memory.held(), 1U << 20);  // a megabyte before anything has come
  EXPECT_THAT(body_of(rig.send(body)), "POST / " + body);
  EXPECT_EQ(rig.memory.held(), 0U);
}

TEST_F(Http1SessionTest, ChargesABodyUntilItsExchangeEnds) {
  rig.feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n" + std::string(5000, 'x'));
  EXPECT_EQ(rig.memory.held(), 5000U);
  rig.handler.exchanges.clear();
  EXPECT_EQ(rig.memory.held(), 0U);
}

TEST_F(Http1SessionTest, RefusesABodyThatTheBudgetHasNoRoomFor) {
  SessionRig poor(make_http1_session, {}, 100);
  EXPECT_THAT(poor.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("connection: close")));
  EXPECT_TRUE(poor.session->wants_close());
  EXPECT_EQ(poor.memory.held(), 0U);
}

TEST_F(Http1SessionTest, RefusesAChunkedBodyAtTheLimit) {
  Limits limits;
  limits.body_bytes_max = 10;
  SessionRig small(make_http1_session, limits);
  EXPECT_EQ(small.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n"), "");
  EXPECT_THAT(small.send("1\r\n"), StartsWith("HTTP/1.1 413 Content Too Large\r\n"));
  EXPECT_TRUE(small.session->wants_close());
}

TEST_F(Http1SessionTest, CountsChunks) {
  Limits limits;
  limits.chunks_max = 3;
  SessionRig small(make_http1_session, limits);
  small.handler.answer = answer_with_request;
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunk = "1\r\nx\r\n";
  EXPECT_THAT(small.send(head + chunk + chunk + chunk + "0\r\n\r\n"), HasSubstr("POST / xxx"));
  EXPECT_THAT(small.send(head + chunk + chunk + chunk + chunk), HasSubstr("413"));
}

TEST_F(Http1SessionTest, BoundsTheHeadHoweverItArrives) {
  Limits limits;
  limits.header_bytes_max = 200;
  const std::string request =
      "GET / HTTP/1.1\r\nHost: h\r\n" + std::string(10, 'a') + ": " + std::string(200, 'b') + "\r\n\r\n";
  SessionRig whole(make_http1_session, limits);
  EXPECT_THAT(whole.send(request), StartsWith("HTTP/1.1 431 "));
  SessionRig pieces(make_http1_session, limits);
  std::string answer;
  for (const char c : request) answer += pieces.send({&c, 1});
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
  SessionRig fields(make_http1_session, limits);
  answer = fields.send("GET / HTTP/1.1\r\nHost: h\r\n");
  for (int i = 0; i < 100; ++i) answer += fields.send("a: b\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
}

TEST_F(Http1SessionTest, BoundsTheRequestLine) {
  Limits limits;
  limits.header_bytes_max = 200;
  SessionRig whole(make_http1_session, limits);
  EXPECT_THAT(whole.send("GET /" + std::string(300, 'a') + " HTTP/1.1\r\n"), StartsWith("HTTP/1.1 414 "));
  SessionRig unfinished(make_http1_session, limits);
  EXPECT_THAT(unfinished.send("GET /" + std::string(300, 'a')), StartsWith("HTTP/1.1 414 "));
}

TEST_F(Http1SessionTest, GivesUpOnASlowHead) {
  rig.feed("GET / HT");
  rig.advance(9s);
  rig.feed("TP/1.1\r\n");
  EXPECT_EQ(rig.receive(), "");
  rig.advance(2s);
  EXPECT_THAT(rig.receive(), AllOf(StartsWith("HTTP/1.1 408 Request Timeout\r\n"), HasSubstr("header-time-max")));
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, GivesUpOnASilentBody) {
  rig.feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  rig.advance(29s);
  rig.feed("d");
  rig.advance(29s);
  EXPECT_EQ(rig.receive(), "");
  rig.advance(2s);
  EXPECT_THAT(rig.receive(), AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("body-idle-max")));
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, ClosesAnIdleConnectionWithoutAWord) {
  rig.handler.answer = answer_with_request;
  rig.send(kGet);
  rig.advance(119s);
  EXPECT_FALSE(rig.session->wants_close());
  rig.advance(2s);
  EXPECT_EQ(rig.receive(), "");
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, HasNoDeadlineWhileTheHandlerWorks) {
  rig.feed(kGet);
  EXPECT_EQ(rig.session->deadline(), kNever);
  rig.advance(1h);
  EXPECT_FALSE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, DrainsAnIdleConnectionAtOnce) {
  rig.session->drain();
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, DrainsAfterTheAnswersThatAreOwed) {
  rig.feed(get("/1") + get("/2"));
  rig.session->drain();
  EXPECT_FALSE(rig.session->wants_close());
  rig.handler.exchanges[0]->respond(text("one"));
  EXPECT_THAT(rig.receive(), Not(HasSubstr("connection: close")));
  rig.handler.exchanges[1]->respond(text("two"));
  EXPECT_THAT(rig.receive(), HasSubstr("connection: close"));
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, DrainsAfterARequestThatIsStillArriving) {
  rig.handler.answer = answer_with_request;
  rig.feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
  rig.session->drain();
  EXPECT_FALSE(rig.session->wants_close());
  EXPECT_THAT(rig.send("cd"), AllOf(HasSubstr("POST / abcd"), HasSubstr("connection: close")));
  EXPECT_TRUE(rig.session->wants_close());
}

TEST_F(Http1SessionTest, AsksForABodyThatWaitsForLeave) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  EXPECT_EQ(rig.send(head), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(rig.send("ab"), "");
  ASSERT_EQ(rig.handler.exchanges.size(), 1U);
  // The second leave must not overtake the first answer.
  EXPECT_EQ(rig.send(head), "");
  rig.handler.exchanges[0]->respond(text("one"));
  EXPECT_THAT(rig.receive(), ::testing::EndsWith("one"
                                                 "HTTP/1.1 100 Continue\r\n\r\n"));
}

TEST_F(Http1SessionTest, UndoesContentCodings) {
  rig.handler.answer = answer_with_request;
  const Slice plain = Slice::of(std::string(5000, 'p'));
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate, Coding::kZstd}) {
    const Slice coded = encode_body(coding, std::span(&plain, 1));
    const std::string request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: " + std::string(coding_name(coding)) +
                                "\r\nContent-Length: " + std::to_string(coded.size()) + "\r\n\r\n";
    EXPECT_EQ(body_of(rig.send(request + std::string(coded.text()))), "POST / " + std::string(plain.text()));
  }
  EXPECT_EQ(rig.memory.held(), 0U);
}

TEST_F(Http1SessionTest, RefusesABombAndStaysOpen) {
  Limits limits;
  limits.body_bytes_max = 10000;
  SessionRig small(make_http1_session, limits);
  const Slice plain = Slice::of(std::string(1U << 20, '\0'));
  const Slice coded = encode_body(Coding::kGzip, std::span(&plain, 1));
  ASSERT_LT(coded.size(), 10000U);
  EXPECT_THAT(small.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: " +
                         std::to_string(coded.size()) + "\r\n\r\n" + std::string(coded.text())),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_FALSE(small.session->wants_close());
  EXPECT_TRUE(small.session->wants_read());
}

TEST_F(Http1SessionTest, CompressesWhenAsked) {
  rig.handler.answer = [](Exchange& e) { e.respond(text(std::string(5000, 'x'))); };
  EXPECT_THAT(rig.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
              AllOf(HasSubstr("content-encoding: gzip\r\n"), HasSubstr("vary: accept-encoding\r\n")));
  EXPECT_THAT(rig.send(kGet), AllOf(HasSubstr("content-length: 5000\r\n"), HasSubstr("vary: accept-encoding\r\n")));
}

TEST_F(Http1SessionTest, LeavesOutFieldsThatWouldSplitTheResponse) {
  rig.feed(kGet);
  Response response = text("x");
  response.headers.emplace_back("x-id", "1\r\nset-cookie: a=b");
  response.headers.emplace_back("x-ok", "1");
  rig.handler.exchanges[0]->respond(std::move(response));
  EXPECT_THAT(rig.receive(), AllOf(Not(HasSubstr("set-cookie")), HasSubstr("x-ok: 1\r\n")));
}

TEST_F(Http1SessionTest, ObservesTheTimeUntilTheLastByteHasLeft) {
  rig.feed(kGet);
  const auto histogram = rig.registry.histogram("t", "t", {}, metrics::latency_bounds_ns(), 1e-9);
  Response response = text("x");
  response.write_time = histogram;
  rig.handler.exchanges[0]->respond(std::move(response));
  rig.clock.advance(3ms);
  EXPECT_EQ(histogram->sum(), 0U);
  rig.receive();
  EXPECT_EQ(histogram->sum(), 3'000'000U);
}

TEST_F(Http1SessionTest, CountsWhatItRefuses) {
  rig.send("nonsense\r\n\r\n");
  EXPECT_EQ(rig.registry
                .counter("protean_transport_refusals",
                         "Requests answered or cut off by the transport itself, by cause.", {{"cause", "malformed"}})
                ->value(),
            1U);
}

}  // namespace
}  // namespace protean
