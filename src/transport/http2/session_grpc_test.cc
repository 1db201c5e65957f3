// SPDX-License-Identifier: Apache-2.0
// gRPC calls over one HTTP/2 connection, client and server in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/content_coding.h"
#include "transport/http2/session_test_support.h"

namespace protean::http2 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kUnary = "/test.Service/Unary";
constexpr std::string_view kStream = "/test.Service/Stream";

Response message(std::string text) {
  Response response;
  if (!text.empty()) response.body.push_back(Slice::of(std::move(text)));
  return response;
}

std::string gzipped(std::string_view text) {
  const std::array parts = {Slice::of(std::string(text))};
  return std::string(encode_body(Coding::kGzip, parts).text());
}

/// A pair whose request path answers unary calls with the message it got.
struct EchoPair : Pair {
  explicit EchoPair(Limits limits = {}) : Pair(limits) {
    handler.on_request = [](auto exchange) { exchange->respond(message(std::string(exchange->body().text()))); };
  }
  Answer& unary(const FieldPairs& fields, std::string_view body) {
    const auto id = request(fields, std::string(body));
    run();
    return answer(id);
  }
};

TEST(GrpcUnary, CarriesOneMessageEachWay) {
  Pair pair;
  const auto id = pair.call(kUnary, "question");
  pair.run();
  ASSERT_THAT(pair.handler.exchanges, SizeIs(1));
  Exchange& exchange = *pair.handler.exchanges[0];
  EXPECT_EQ(exchange.head().wire, Wire::kGrpc);
  EXPECT_EQ(exchange.head().path, kUnary);
  EXPECT_EQ(exchange.body().text(), "question");
  EXPECT_GE(exchange.body().padding, kBufferPadding);
  Response response = message("ans");
  response.body.push_back(Slice::of_static("wer"));
  response.headers.emplace_back("x-request-id", "9");
  response.headers.emplace_back("content-type", "text/plain");
  exchange.respond(std::move(response));
  pair.run();
  const Answer& answer = pair.answer(id);
  EXPECT_THAT(answer.fields, ElementsAre(std::pair{":status", "200"}, std::pair{"content-type", "application/grpc"},
                                         std::pair{"x-request-id", "9"}));
  EXPECT_EQ(answer.body, framed("answer"));
  EXPECT_THAT(answer.trailers, ElementsAre(std::pair{"grpc-status", "0"}));
  EXPECT_TRUE(answer.closed);
}

TEST(GrpcUnary, CarriesEmptyMessages) {
  EchoPair pair;
  const Answer& answer = pair.unary(grpc_fields(kUnary), framed(""));
  EXPECT_EQ(answer.body, framed(""));
  EXPECT_EQ(answer.grpc("grpc-status"), "0");
}

TEST(GrpcUnary, AnswersAnErrorWithTrailersOnly) {
  Pair pair;
  pair.handler.on_request = [](auto exchange) {
    Response response;
    response.grpc_code = Code::kInvalidArgument;
    response.grpc_message = "100% \xE2\x82\xAC\n";
    response.body.push_back(Slice::of_static("never sent"));
    exchange->respond(std::move(response));
  };
  const auto id = pair.call(kUnary, "x");
  pair.run();
  const Answer& answer = pair.answer(id);
  EXPECT_EQ(answer.field(":status"), "200");
  EXPECT_EQ(answer.field("content-type"), "application/grpc");
  EXPECT_EQ(answer.field("grpc-status"), "3");
  EXPECT_EQ(answer.field("grpc-message"), "100%25 %E2%82%AC%0A");
  EXPECT_THAT(answer.trailers, IsEmpty());
  EXPECT_EQ(answer.body, "");
  EXPECT_TRUE(answer.ended);
}

TEST(GrpcUnary, MapsAPlainHttpAnswer) {
  Pair pair;
  pair.handler.on_request = [](auto exchange) { exchange->respond(make_response(404, "text/plain", {})); };
  const auto id = pair.call(kUnary, "x");
  pair.run();
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "12");
}

TEST(GrpcUnary, CollectsAnAnswerInPiecesIntoOneMessage) {
  Pair pair;
  const auto id = pair.call(kUnary, "x");
  pair.run();
  pair.handler.exchanges[0]->start(message("one "));
  pair.handler.exchanges[0]->write(Slice::of_static("two"), nullptr);
  pair.handler.exchanges[0]->finish();
  pair.run();
  EXPECT_EQ(pair.answer(id).body, framed("one two"));
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "0");
}

TEST(GrpcUnary, AnswersInternalForAnExchangeThatWasDropped) {
  Pair pair;
  const auto id = pair.call(kUnary, "x");
  pair.run();
  pair.handler.exchanges.clear();
  pair.run();
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "13");
}

TEST(GrpcUnary, RefusesAnyOtherNumberOfMessagesThanOne) {
  EchoPair pair;
  EXPECT_EQ(pair.unary(grpc_fields(kUnary), "").grpc("grpc-status"), "12");
  EXPECT_EQ(pair.unary(grpc_fields(kUnary), framed("a") + framed("b")).grpc("grpc-status"), "12");
  EXPECT_EQ(pair.unary(grpc_fields(kUnary), framed("ab").substr(0, 6)).grpc("grpc-status"), "13");
  EXPECT_EQ(pair.unary(grpc_fields(kUnary), framed("ab").substr(0, 3)).grpc("grpc-status"), "13");
  EXPECT_EQ(pair.unary(grpc_fields(kUnary), std::string("\2\0\0\0\0", 5)).grpc("grpc-status"), "13");
}

TEST(GrpcUnary, RefusesAMessageOverTheLimitFromItsPrefix) {
  Limits limits;
  limits.body_bytes_max = 1000;
  EchoPair pair(limits);
  EXPECT_EQ(pair.unary(grpc_fields(kUnary), framed(std::string(1000, 'x'))).grpc("grpc-status"), "0");
  const auto id = pair.request(grpc_fields(kUnary), std::string("\0\0\0\3\xE9", 5), false);
  pair.run();
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "8");
  EXPECT_THAT(pair.answer(id).grpc("grpc-message"), HasSubstr("1001 bytes, expected at most 1000 (body-bytes-max)"));
  EXPECT_TRUE(pair.answer(id).closed);  // RST_STREAM(NO_ERROR) tells the client to stop sending
  EXPECT_EQ(pair.refused("body_too_large"), 1U);
}

TEST(GrpcUnary, DecompressesAndAnswersInKind) {
  EchoPair pair;
  const std::string text(5000, 'z');
  const FieldPairs both = {{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "identity, gzip"}};
  const Answer& answer = pair.unary(grpc_fields(kUnary, both), framed(gzipped(text), true));
  EXPECT_EQ(answer.field("grpc-encoding"), "gzip");
  ASSERT_GT(answer.body.size(), grpc::kPrefixBytes);
  EXPECT_EQ(answer.body[0], '\1');
  const auto body = decode_body(Coding::kGzip, Slice::of(answer.body.substr(grpc::kPrefixBytes)), 10'000);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->text(), text);
  // A client that takes gzip without sending it gets plain messages.
  const Answer& plain = pair.unary(grpc_fields(kUnary, {{"grpc-accept-encoding", "gzip"}}), framed(text));
  EXPECT_EQ(plain.body, framed(text));
}

TEST(GrpcUnary, RefusesWhatItCannotDecompress) {
  Limits limits;
  limits.body_bytes_max = 1000;
  EchoPair pair(limits);
  const FieldPairs gzip = {{"grpc-encoding", "gzip"}};
  const Answer& unknown = pair.unary(grpc_fields(kUnary, {{"grpc-encoding", "br"}}), framed("x", true));
  EXPECT_EQ(unknown.grpc("grpc-status"), "12");
  EXPECT_EQ(unknown.field("grpc-accept-encoding"), "identity,deflate,gzip");
  EXPECT_EQ(pair.unary(grpc_fields(kUnary), framed("x", true)).grpc("grpc-status"), "13");
  EXPECT_EQ(pair.unary(grpc_fields(kUnary, gzip), framed("not gzip", true)).grpc("grpc-status"), "13");
  EXPECT_EQ(pair.unary(grpc_fields(kUnary, gzip), framed(gzipped(std::string(1001, 'x')), true)).grpc("grpc-status"),
            "8");
  EXPECT_EQ(pair.memory.held(), 0U);
}

TEST(GrpcUnary, AnswersDeadlineExceededOnTime) {
  Pair pair;
  const auto late = pair.call(kUnary, "x", {{"grpc-timeout", "100m"}});
  const auto later = pair.call(kUnary, "x", {{"grpc-timeout", "1S"}});
  const auto never = pair.call(kUnary, "x");
  pair.run();
  ASSERT_THAT(pair.handler.exchanges, SizeIs(3));
  EXPECT_EQ(pair.handler.exchanges[0]->head().deadline - pair.handler.exchanges[0]->head().received_at,
            std::chrono::milliseconds(100));
  EXPECT_EQ(pair.handler.exchanges[2]->head().deadline, kNever);
  EXPECT_EQ(pair.host->timers(), 1U);
  pair.advance(std::chrono::milliseconds(100));
  pair.run();
  EXPECT_EQ(pair.answer(late).grpc("grpc-status"), "4");
  EXPECT_TRUE(pair.handler.exchanges[0]->cancelled());
  EXPECT_FALSE(pair.handler.exchanges[1]->cancelled());
  pair.handler.exchanges[0]->respond(message("too late"));
  pair.advance(std::chrono::milliseconds(900));
  pair.run();
  EXPECT_EQ(pair.answer(later).grpc("grpc-status"), "4");
  EXPECT_FALSE(pair.answer(never).ended);
  EXPECT_EQ(pair.host->timers(), 0U);
}

TEST(GrpcUnary, RefusesAMalformedTimeout) {
  EchoPair pair;
  for (const char* timeout : {"", "1", "S", "1s", "-1S", "+1S", "1.5S", "123456789S", "1 S"}) {
    EXPECT_EQ(pair.unary(grpc_fields(kUnary, {{"grpc-timeout", timeout}}), framed("x")).grpc("grpc-status"), "13")
        << timeout;
  }
  EXPECT_EQ(pair.unary(grpc_fields(kUnary, {{"grpc-timeout", "99999999H"}}), framed("x")).grpc("grpc-status"), "0");
}

TEST(GrpcUnary, RefusesOtherDialectsOfGrpc) {
  EchoPair pair;
  FieldPairs web = http_fields("POST", kUnary, {{"content-type", "application/grpc-web+proto"}});
  EXPECT_EQ(pair.unary(web, framed("x")).field(":status"), "415");
  FieldPairs get = http_fields("PUT", kUnary, {{"content-type", "application/grpc"}});
  EXPECT_EQ(pair.unary(get, framed("x")).field(":status"), "405");
  FieldPairs proto = http_fields("POST", kUnary, {{"content-type", "application/grpc+proto; charset=x"}});
  EXPECT_EQ(pair.unary(proto, framed("x")).grpc("grpc-status"), "0");
}

/// Notes what a stream is told, and echoes when asked to.
struct Recorder : MessageStreamHandler {
  std::shared_ptr<MessageStream> stream;
  std::vector<std::string> told;
  bool echo = false;
  bool ask_again = true;
  void on_message(Slice text) override {
    told.emplace_back(text.text());
    if (echo) stream->send(message(told.back()));
    if (ask_again) stream->next();
  }
  void on_half_close() override {
    told.emplace_back("(half-close)");
    if (echo) stream->finish(std::nullopt, "");
  }
  void on_cancel() override { told.emplace_back("(cancel)"); }
};

struct StreamPair : Pair {
  explicit StreamPair(Limits limits = {}, std::uint32_t window = 65535) : Pair(limits, std::size_t{1} << 30, window) {
    handler.on_open = [this](auto stream) {
      recorder->stream = std::move(stream);
      return recorder;
    };
  }
  ~StreamPair() { recorder->stream.reset(); }
  std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
};

TEST(GrpcStream, CarriesMessagesOneByOne) {
  StreamPair pair;
  pair.recorder->echo = true;
  const auto id = pair.request(grpc_fields(kStream), framed("one") + framed("") + framed("three"), false);
  pair.run();
  EXPECT_THAT(pair.recorder->told, IsEmpty());  // nobody has asked
  pair.recorder->stream->next();
  pair.run();
  EXPECT_THAT(pair.recorder->told, ElementsAre("one", "", "three"));
  EXPECT_EQ(pair.answer(id).body, framed("one") + framed("") + framed("three"));
  pair.send(id, framed("four").substr(0, 7));
  pair.run();
  pair.send(id, framed("four").substr(7), true);
  pair.run();
  EXPECT_THAT(pair.recorder->told, ElementsAre("one", "", "three", "four", "(half-close)"));
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "0");
  EXPECT_TRUE(pair.answer(id).closed);
  EXPECT_EQ(pair.session->in_flight(), 0U);
}

TEST(GrpcStream, KeepsTheWindowClosedUntilMessagesAreAskedFor) {
  StreamPair pair;
  pair.recorder->ask_again = false;
  const std::string big(3'000'000, 'b');
  pair.request(grpc_fields(kStream), framed(big) + framed(big));
  pair.run();
  EXPECT_LE(pair.memory.held(), std::size_t{1} << 20);
  pair.recorder->stream->next();
  pair.run();
  ASSERT_THAT(pair.recorder->told, SizeIs(1));
  EXPECT_TRUE(pair.recorder->told[0] == big);
  EXPECT_LE(pair.memory.held(), std::size_t{1} << 20);
  pair.recorder->stream->next();
  pair.run();
  ASSERT_THAT(pair.recorder->told, SizeIs(2));
  pair.recorder->stream->next();
  pair.run();
  EXPECT_EQ(pair.recorder->told[2], "(half-close)");
}

TEST(GrpcStream, EndsWithTheStatusGiven) {
  StreamPair pair;
  const auto id = pair.request(grpc_fields(kStream), framed("x"));
  pair.run();
  pair.recorder->stream->send(message("partial"));
  pair.recorder->stream->finish(Code::kUnavailable, "gone");
  pair.recorder->stream->send(message("ignored"));
  pair.run();
  EXPECT_EQ(pair.answer(id).body, framed("partial"));
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "14");
  EXPECT_EQ(pair.answer(id).grpc("grpc-message"), "gone");
}

TEST(GrpcStream, EndsWithTrailersOnlyWhenNothingWasSent) {
  StreamPair pair;
  const auto id = pair.request(grpc_fields(kStream), framed("x"));
  pair.run();
  pair.recorder->stream->finish(std::nullopt, "");
  pair.run();
  EXPECT_EQ(pair.answer(id).field("grpc-status"), "0");
  EXPECT_TRUE(pair.answer(id).ended);
}

TEST(GrpcStream, TellsItsHandlerThatTheClientHasLeft) {
  StreamPair pair;
  const auto id = pair.request(grpc_fields(kStream), framed("x"), false);
  pair.run();
  pair.reset(id);
  pair.run();
  EXPECT_THAT(pair.recorder->told, ElementsAre("(cancel)"));
  EXPECT_TRUE(pair.recorder->stream->cancelled());
  pair.recorder->stream->send(message("x"));
  pair.recorder->stream->next();
  pair.recorder->stream->finish(std::nullopt, "");
  pair.run();
  EXPECT_THAT(pair.recorder->told, ElementsAre("(cancel)"));
}

TEST(GrpcStream, IsCancelledAtItsDeadline) {
  StreamPair pair;
  const auto id = pair.request(grpc_fields(kStream, {{"grpc-timeout", "1S"}}), framed("x"), false);
  pair.run();
  pair.recorder->stream->send(message("partial"));
  pair.advance(std::chrono::seconds(1));
  pair.run();
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "4");
  EXPECT_THAT(pair.recorder->told, ElementsAre("(cancel)"));
}

TEST(GrpcStream, RefusesBrokenMessages) {
  Limits limits;
  limits.body_bytes_max = 100;
  for (const auto& [bytes, code] :
       std::vector<std::pair<std::string, std::string>>{{framed(std::string(101, 'x')), "8"},
                                                        {framed("cut off").substr(0, 8), "13"},
                                                        {std::string(5, '\7'), "13"}}) {
    StreamPair pair(limits);
    const auto id = pair.request(grpc_fields(kStream), bytes);
    pair.run();
    pair.recorder->stream->next();
    pair.run();
    EXPECT_EQ(pair.answer(id).grpc("grpc-status"), code);
    EXPECT_THAT(pair.recorder->told, ElementsAre("(cancel)"));
  }
}

TEST(GrpcStream, AnswersInternalWhenItIsDropped) {
  StreamPair pair;
  const auto id = pair.request(grpc_fields(kStream), framed("x"), false);
  pair.run();
  pair.recorder->stream.reset();
  pair.run();
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "13");
}

TEST(GrpcStream, ThatIsIdleEndsWhenTheServerDrains) {
  StreamPair pair;
  const auto id = pair.request(grpc_fields(kStream), framed("watch"), false);
  pair.run();
  pair.recorder->stream->next();
  pair.run();
  pair.recorder->stream->send(message("state"));
  pair.run();
  pair.session->drain();
  pair.run();
  EXPECT_EQ(pair.answer(id).grpc("grpc-status"), "14");
  EXPECT_TRUE(pair.session->wants_close());
}

TEST(GrpcStream, ResetsAClientThatTakesNothingWhileMuchIsWrittenForIt) {
  Limits limits;
  limits.output_bytes_max = 100'000;
  StreamPair pair(limits, 0);
  const auto id = pair.request(grpc_fields(kStream), framed("x"), false);
  pair.run();
  for (int i = 0; i < 20; ++i) pair.recorder->stream->send(message(std::string(10'000, 'x')));
  pair.run();
  EXPECT_EQ(pair.answer(id).error_code, NGHTTP2_CANCEL);
  EXPECT_THAT(pair.recorder->told, ElementsAre("(cancel)"));
}

TEST(GrpcStream, CompressesForAClientThatDoes) {
  StreamPair pair;
  pair.recorder->echo = true;
  const std::string text(3000, 'y');
  const FieldPairs gzip = {{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "gzip"}};
  const auto id = pair.request(grpc_fields(kStream, gzip), framed(gzipped(text), true) + framed("plain"));
  pair.run();
  pair.recorder->stream->next();
  pair.run();
  EXPECT_THAT(pair.recorder->told, ElementsAre(text, "plain", "(half-close)"));
  EXPECT_EQ(pair.answer(id).body, framed(gzipped(text), true) + framed("plain"));
}

}  // namespace
}  // namespace protean::http2
