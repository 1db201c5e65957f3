// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "cli/migrate/migrate_options.h"
#include "cli/migrate/upstream_messages.h"
#include "cli/migrate/upstream_pool.h"
#include "transport/server.h"
#include "transport/session_test_support.h"

namespace protean {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Result<MigrateOptions> parse(const std::vector<std::string>& args) { return parse_migrate_options(args); }

std::vector<std::string> good(std::vector<std::string> more = {}) {
  std::vector<std::string> args = {"--from",    "http://old:8501", "--from",   "grpc://old:8500",
                                   "--to",      "http://new:8501", "--to",     "grpc://[::1]:8500",
                                   "--dialect", "tfserving",       "--listen", "127.0.0.1:0"};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

TEST(MigrateOptions, AreRead) {
  const auto options = parse(good({"--weight", "0.25", "--tolerance", "1e-3", "--control", "127.0.0.1:9900"}));
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->action, MigrateAction::kRun);
  EXPECT_EQ(options->from.http->host, "old");
  EXPECT_EQ(options->to.grpc->host, "::1");
  EXPECT_EQ(options->to.grpc->authority, "[::1]:8500");
  EXPECT_EQ(options->migration.from, "http://old:8501 grpc://old:8500");
  EXPECT_EQ(options->migration.weight_to, 0.25);
  EXPECT_EQ(options->migration.tolerance, 1e-3);
  EXPECT_FALSE(options->migration.guard.on);
}

TEST(MigrateOptions, TheSecondFormOnlyTellsTheWeight) {
  const auto options = parse({"--control", "127.0.0.1:9900", "--weight", "1"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->action, MigrateAction::kSetWeight);
}

TEST(MigrateOptions, WhatDoesNotFitIsRefusedByName) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "flag --from: missing"},
      {{"--from", "http://a:1"}, "flag --to: missing"},
      {{"--from", "http://a:1", "--to", "grpc://b:1"}, "the same kinds"},
      {{"--from", "http://a:1", "--to", "http://b:1"}, "flag --listen: missing"},
      {{"--from", "https://a:1"}, "in clear text"},
      {{"--from", "a:1"}, "expected http://HOST:PORT or grpc://HOST:PORT"},
      {{"--from", "http://a:1/x"}, "expected http://HOST:PORT or grpc://HOST:PORT"},
      {{"--from", "http://a:70000"}, "expected http://HOST:PORT or grpc://HOST:PORT"},
      {{"--from", "http://a:1", "--from", "http://b:1"}, "named twice"},
      {good({"--weight", "1.5"}), "flag --weight: found '1.5', expected a number from 0 to 1"},
      {good({"--weight", "nan"}), "flag --weight: found 'nan'"},
      {good({"--control", "0.0.0.0:1"}), "expected a loopback address"},
      {good({"--guard-errors", "0.1"}), "they need --guard"},
      {good({"more"}), "found argument 'more'"},
      {good({"--tls-cert", "x"}), "one needs the other"},
  };
  for (const auto& [args, message] : cases) {
    const auto options = parse(args);
    ASSERT_FALSE(options) << message;
    EXPECT_THAT(options.error().message, HasSubstr(message));
  }
}

TEST(UpstreamMessages, RequestsKeepWhatIsMeantForTheOtherEnd) {
  RequestHead head;
  head.method = "POST";
  head.path = "/v1/models/m%2Fn:predict";
  head.query = "a=b";
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"Host", "proxy"},
                                                                                    {"Connection", "x-hop, close"},
                                                                                    {"X-Hop", "1"},
                                                                                    {"TE", "trailers"},
                                                                                    {"Expect", "100-continue"},
                                                                                    {"Content-Encoding", "gzip"},
                                                                                    {"X-Mine", "2"}}) {
    head.headers.add(name, value);
  }
  const auto request = make_upstream_request(head, Slice::of("body"), "old:1", 2s);
  EXPECT_EQ(request.http1_head,
            "POST /v1/models/m%2Fn:predict?a=b HTTP/1.1\r\nhost: old:1\r\ncontent-encoding: gzip\r\nx-mine: 2\r\n"
            "content-length: 4\r\n\r\n");
}

TEST(UpstreamMessages, CallsKeepMetadataAndWhatIsLeftOfTheDeadline) {
  RequestHead head;
  head.wire = Wire::kGrpc;
  head.method = "POST";
  head.path = "/s.S/M";
  head.deadline = TimePoint(10s);
  head.headers.add("grpc-timeout", "9S");
  head.headers.add("x-mine-bin", "AA");
  head.headers.add("grpc-accept-encoding", "gzip");
  const auto request = make_upstream_request(head, Slice::of("m"), "old:1", 2s);
  const std::vector<std::pair<std::string, std::string>> wanted = {
      {":method", "POST"},  {":scheme", "http"},         {":authority", "old:1"},
      {":path", "/s.S/M"},  {"te", "trailers"},          {"content-type", "application/grpc"},
      {"x-mine-bin", "AA"}, {"grpc-timeout", "2000000u"}};
  EXPECT_EQ(request.fields, wanted);
}

ClientReply grpc_reply(std::string body) {
  ClientReply reply;
  reply.status = 200;
  reply.grpc_status = 0;
  reply.body_bytes = body.size();
  reply.body = std::move(body);
  return reply;
}

TEST(UpstreamMessages, RepliesThatAreNoAnswersAreErrors) {
  using namespace std::string_literals;
  EXPECT_EQ(read_upstream_reply(grpc_reply("\0\0\0\0\1x"s), true).body.text(), "x");
  EXPECT_EQ(read_upstream_reply(grpc_reply("\0\0\0"s), true).error->code, Code::kInternal);
  EXPECT_EQ(read_upstream_reply(grpc_reply("\1\0\0\0\1x"s), true).error->code, Code::kInternal);
  EXPECT_EQ(read_upstream_reply(grpc_reply("\0\0\0\0\2x"s), true).error->code, Code::kInternal);
  EXPECT_EQ(read_upstream_reply(grpc_reply("\0\0\0\0\0\0\0\0\0\0"s), true).error->code, Code::kInternal);
  ClientReply gateway = grpc_reply("");
  gateway.status = 503;
  EXPECT_EQ(read_upstream_reply(std::move(gateway), true).error->code, Code::kUnavailable);
  ClientReply cut = grpc_reply("abc");
  cut.body_bytes = 10;
  EXPECT_EQ(read_upstream_reply(std::move(cut), false).error->code, Code::kResourceExhausted);
}

/// Answers with what it got; counts connections by their peers.
class EchoHandler final : public RequestHandler {
 public:
  [[nodiscard]] BodyMode body_mode(const RequestHead&) const override { return BodyMode::kWhole; }
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream>) override { return nullptr; }
  void on_exchange(std::shared_ptr<Exchange> exchange) override { testing::answer_with_request(*exchange); }
};

class TestExchange final : public Exchange {
 public:
  explicit TestExchange(RequestHead head) : head_(std::move(head)), body_(Slice::of("hello")) {}
  [[nodiscard]] const RequestHead& head() const noexcept override { return head_; }
  [[nodiscard]] const Slice& body() const noexcept override { return body_; }
  [[nodiscard]] TimePoint complete_at() const noexcept override { return {}; }
  [[nodiscard]] bool cancelled() const noexcept override { return false; }
  void on_cancel(std::function<void()>) override {}
  void respond(Response) override {}
  void start(Response) override {}
  void write(Slice, std::shared_ptr<const void>) override {}
  void finish() override {}

 private:
  RequestHead head_;
  Slice body_;
};

class UpstreamPoolTest : public ::testing::Test {
 protected:
  UpstreamPoolTest() {
    start_server(0);
    UpstreamPoolOptions options;
    options.http = options.grpc = UpstreamTarget{{"127.0.0.1", port_}, "127.0.0.1"};
    options.memory = &answers_;
    pool_.emplace(std::move(options));
  }

  void start_server(std::uint16_t port) {
    TransportServer::Options options;
    ListenerOptions listener;
    listener.port = port;
    options.listeners.push_back(listener);
    options.context.handler = &handler_;
    options.context.memory = &memory_;
    options.context.metrics = &metrics_;
    auto server = TransportServer::make(std::move(options));
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
    server_->start();
    port_ = server_->bound_addresses()[0].port;
  }

  migrate::Answer call(Wire wire, TimePoint deadline = Clock::system().now() + 10s) {
    RequestHead head;
    head.wire = wire;
    head.method = "POST";
    head.path = "/s.S/Echo";
    std::promise<migrate::Answer> answered;
    pool_->send(std::make_shared<TestExchange>(std::move(head)), deadline,
                [&](migrate::Answer answer) { answered.set_value(std::move(answer)); });
    return answered.get_future().get();
  }

  metrics::Registry registry_;
  TransportMetrics metrics_{registry_};
  MemoryBudget memory_{1 << 20};
  MemoryBudget answers_{1 << 20};
  EchoHandler handler_;
  std::uint16_t port_ = 0;
  std::unique_ptr<TransportServer> server_;
  std::optional<UpstreamPool> pool_;
};

TEST_F(UpstreamPoolTest, BothKindsOfRequestsAreAnswered) {
  const auto http = call(Wire::kHttp1);
  ASSERT_FALSE(http.error) << http.error->message;
  EXPECT_EQ(http.status, 200);
  EXPECT_THAT(std::string(http.body.text()), HasSubstr("hello"));
  EXPECT_GT(http.took.count(), 0);
  const auto grpc = call(Wire::kGrpc);
  ASSERT_FALSE(grpc.error) << grpc.error->message;
  EXPECT_EQ(grpc.grpc_status, 0);
  EXPECT_THAT(std::string(grpc.body.text()), HasSubstr("hello"));
}

TEST_F(UpstreamPoolTest, AnswersGiveTheirMemoryBack) {
  {
    const auto answer = call(Wire::kHttp1);
    EXPECT_GE(answers_.held(), answer.body.size());
  }
  EXPECT_EQ(answers_.held(), 0U);
}

TEST_F(UpstreamPoolTest, AConnectionThatTheServerClosedIsReplacedUnnoticed) {
  for (const Wire wire : {Wire::kHttp1, Wire::kGrpc}) EXPECT_FALSE(call(wire).error);
  server_->stop();
  start_server(port_);
  for (const Wire wire : {Wire::kHttp1, Wire::kGrpc}) {
    const auto answer = call(wire);
    EXPECT_FALSE(answer.error) << answer.error->message;
  }
}

TEST_F(UpstreamPoolTest, AServerThatIsGoneIsAnErrorAtOnce) {
  EXPECT_FALSE(call(Wire::kHttp1).error);
  server_->stop();
  for (const Wire wire : {Wire::kHttp1, Wire::kGrpc}) {
    const auto answer = call(wire);
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->code, Code::kUnavailable);
    EXPECT_THAT(answer.error->message, HasSubstr("Connection refused"));
  }
}

TEST_F(UpstreamPoolTest, AfterStoppingEverythingIsCancelled) {
  pool_->stop();
  EXPECT_EQ(call(Wire::kHttp1).error->code, Code::kCancelled);
}

}  // namespace
}  // namespace protean
