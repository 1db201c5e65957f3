// SPDX-License-Identifier: Apache-2.0
// Both kinds of client against our own server over real sockets, and against servers that misbehave.
#include "transport/client/client_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <thread>

#include "transport/server.h"
#include "transport/session_test_support.h"

namespace protean {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Echoes; /large answers with 1 MiB, /fail with 418, /never not at all.
class EchoHandler final : public RequestHandler {
 public:
  [[nodiscard]] BodyMode body_mode(const RequestHead&) const override { return BodyMode::kWhole; }
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream>) override { return nullptr; }
  void on_exchange(std::shared_ptr<Exchange> exchange) override {
    const std::string path = exchange->head().path;
    if (path == "/large")
      return exchange->respond(make_response(200, "text/plain", Slice::of(std::string(1 << 20, 'x'))));
    if (path == "/fail") return exchange->respond(make_response(418, "text/plain", Slice::of("no coffee")));
    if (path == "/s.S/Fail") return exchange->respond(grpc_failure());
    if (path == "/never") {
      const std::lock_guard lock(mutex_);
      held_.push_back(std::move(exchange));
      return;
    }
    testing::answer_with_request(*exchange);
  }

 private:
  static Response grpc_failure() {
    Response response;
    response.grpc_code = Code::kNotFound;
    response.grpc_message = "model 'x' 100%";
    return response;
  }
  std::mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> held_;
};

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    TransportServer::Options options;
    ListenerOptions listener;
    listener.port = 0;
    options.listeners.push_back(listener);
    options.context.handler = &handler_;
    options.context.memory = &memory_;
    options.context.metrics = &metrics_;
    server_ = TransportServer::make(std::move(options)).value();
    server_->start();
    target_ = {"127.0.0.1", server_->bound_addresses().at(0).port};
  }
  ~ClientTest() override { server_->stop(); }

  void connect(const std::shared_ptr<ClientConnection>& client) {
    std::optional<Status> connected;
    client->connect(target_, Clock::system().now() + 10s, [&](Status status) {
      connected = std::move(status);
      loop_.stop();
    });
    loop_.run_until(Clock::system().now() + 10s);
    ASSERT_TRUE(connected);
    ASSERT_TRUE(*connected) << connected->error().message;
  }
  ClientReply call(ClientConnection& client, ClientRequest request, TimePoint deadline = kNever) {
    std::optional<ClientReply> reply;
    client.send(std::make_shared<const ClientRequest>(std::move(request)), {deadline, 1 << 16}, [&](ClientReply got) {
      reply = std::move(got);
      loop_.stop();
    });
    if (deadline != kNever) {
      loop_.run_at(deadline, [&] { client.expire(deadline); });
    }
    loop_.run_until(Clock::system().now() + 10s);
    EXPECT_TRUE(reply);
    return reply.value_or(ClientReply{});
  }
  static ClientRequest post(std::string_view path, std::string body) {
    return make_http_request({"POST", "h", path, {{"X-Case", "1"}}}, Slice::of(std::move(body)));
  }
  static ClientRequest grpc(std::string_view path, std::string message) {
    return make_grpc_request("h", path, Slice::of(std::move(message)), 10s);
  }

  metrics::Registry registry_;
  TransportMetrics metrics_{registry_};
  MemoryBudget memory_{std::size_t{1} << 30};
  EchoHandler handler_;
  std::unique_ptr<TransportServer> server_;
  ClientTarget target_;
  ClientLoop loop_;
};

TEST_F(ClientTest, Http1AnswersOnAKeptConnection) {
  const auto client = make_http1_client(loop_);
  connect(client);
  for (int i = 0; i < 3; ++i) {
    const auto reply = call(*client, post("/a", "body"));
    EXPECT_FALSE(reply.error);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "POST /a body");
    EXPECT_EQ(reply.body_bytes, 12U);
    EXPECT_EQ(client->room(), 1U);
  }
}

TEST_F(ClientTest, LargeBodiesAreCountedAndKeptAsFarAsAsked) {
  for (const auto& client : {make_http1_client(loop_), make_http2_client(loop_, 4)}) {
    connect(client);
    const auto large = call(*client, post("/large", std::string(3 << 20, 'y')));
    EXPECT_EQ(large.body_bytes, 1U << 20);
    EXPECT_EQ(large.body.size(), 1U << 16);
    const auto failed = call(*client, post("/fail", ""));
    EXPECT_EQ(failed.status, 418);
    EXPECT_EQ(failed.body, "no coffee");
  }
}

TEST_F(ClientTest, GrpcCallsBringMessageAndStatus) {
  const auto client = make_http2_client(loop_, 4);
  connect(client);
  const auto reply = call(*client, grpc("/s.S/Echo", "hi"));
  EXPECT_FALSE(reply.error);
  EXPECT_EQ(reply.grpc_status, 0);
  EXPECT_EQ(reply.body.substr(5), "POST /s.S/Echo hi");
  const auto failed = call(*client, grpc("/s.S/Fail", "hi"));
  EXPECT_EQ(failed.grpc_status, 5);
  EXPECT_EQ(failed.grpc_message, "model 'x' 100%");
}

TEST_F(ClientTest, ManyStreamsShareAConnection) {
  const auto client = make_http2_client(loop_, 50);
  connect(client);
  int answered = 0;
  for (int i = 0; i < 50; ++i) {
    const std::string message(static_cast<std::size_t>(i) * 1000, 'z');
    client->send(std::make_shared<const ClientRequest>(grpc("/s.S/Echo", message)), {kNever, 0},
                 [&, size = message.size()](const ClientReply& reply) {
                   EXPECT_EQ(reply.grpc_status, 0);
                   EXPECT_EQ(reply.body_bytes, 5 + 14 + (size == 0 ? 0 : 1 + size));
                   EXPECT_TRUE(reply.body.empty());
                   if (++answered == 50) loop_.stop();
                 });
  }
  EXPECT_EQ(client->room(), 0U);
  loop_.run_until(Clock::system().now() + 10s);
  EXPECT_EQ(answered, 50);
  EXPECT_EQ(client->room(), 50U);
}

TEST_F(ClientTest, ACallbackMaySendTheNextRequest) {
  for (const auto& client : {make_http1_client(loop_), make_http2_client(loop_, 1)}) {
    connect(client);
    int answered = 0;
    const auto request = std::make_shared<const ClientRequest>(post("/next", "n"));
    std::function<void(ClientReply)> next = [&](const ClientReply& reply) {
      EXPECT_EQ(reply.status, 200);
      if (++answered == 100) return loop_.stop();
      client->send(request, {}, next);
    };
    client->send(request, {}, next);
    loop_.run_until(Clock::system().now() + 10s);
    EXPECT_EQ(answered, 100);
  }
}

TEST_F(ClientTest, WhatIsLateIsGivenUp) {
  const auto one = make_http1_client(loop_);
  connect(one);
  const auto late = call(*one, post("/never", ""), Clock::system().now());
  ASSERT_TRUE(late.error);
  EXPECT_EQ(late.error->code, Code::kDeadlineExceeded);
  EXPECT_FALSE(one->usable());
  const auto two = make_http2_client(loop_, 2);
  connect(two);
  EXPECT_EQ(call(*two, post("/never", ""), Clock::system().now()).error->code, Code::kDeadlineExceeded);
  EXPECT_TRUE(two->usable());  // the other streams go on
  EXPECT_EQ(call(*two, post("/a", "b")).status, 200);
}

TEST_F(ClientTest, ClosingFailsWhatIsInFlight) {
  const auto client = make_http2_client(loop_, 2);
  connect(client);
  std::vector<Code> codes;
  for (int i = 0; i < 2; ++i) {
    client->send(std::make_shared<const ClientRequest>(post("/never", "")), {},
                 [&](const ClientReply& reply) { codes.push_back(reply.error->code); });
  }
  client->close();
  EXPECT_EQ(codes, (std::vector<Code>{Code::kUnavailable, Code::kUnavailable}));
  EXPECT_FALSE(client->usable());
}

/// Accepts one connection, reads something, writes `answer` and closes.
class RudeServer {
 public:
  explicit RudeServer(std::string answer) : listener_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      boost::system::error_code ignored;
      auto socket = listener_.accept(ignored);
      std::array<char, 4096> block;
      socket.read_some(boost::asio::buffer(block), ignored);
      if (!answer.empty()) socket.write_some(boost::asio::buffer(answer), ignored);
      socket.shutdown(boost::asio::socket_base::shutdown_send, ignored);
      while (!ignored) socket.read_some(boost::asio::buffer(block), ignored);
    });
  }
  ~RudeServer() { thread_.join(); }
  [[nodiscard]] std::uint16_t port() const { return listener_.local_endpoint().port(); }

 private:
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor listener_;
  std::thread thread_;
};

struct RudeCase {
  std::string answer;
  Code code;
  std::string says;
};

TEST_F(ClientTest, MisbehavingServersAreErrorsWithAReason) {
  const std::vector<RudeCase> cases = {
      {"", Code::kUnavailable, "closed the connection"},
      {"garbage\r\n\r\n", Code::kInternal, "not an HTTP/1.1 answer"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", Code::kUnavailable, "closed the connection"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc", Code::kInternal, "behind the answer"},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", Code::kInternal, "not an HTTP/1.1 answer"},
  };
  for (const auto& rude : cases) {
    const RudeServer server(rude.answer);
    target_.port = server.port();
    const auto client = make_http1_client(loop_);
    connect(client);
    const auto reply = call(*client, post("/a", ""));
    ASSERT_TRUE(reply.error) << rude.answer;
    EXPECT_EQ(reply.error->code, rude.code) << rude.answer << reply.error->message;
    EXPECT_THAT(reply.error->message, HasSubstr(rude.says));
    EXPECT_FALSE(client->usable());
    client->close();
    loop_.run_until(Clock::system().now() + 1ms);
  }
}

TEST_F(ClientTest, InterimAnswersAndBodiesUntilTheEndAreUnderstood) {
  for (const std::string answer : {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                                   "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok", "HTTP/1.0 200 OK\r\n\r\nok"}) {
    const RudeServer server(answer);
    target_.port = server.port();
    const auto client = make_http1_client(loop_);
    connect(client);
    const auto reply = call(*client, post("/a", ""));
    EXPECT_FALSE(reply.error) << answer;
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "ok");
    client->close();
    loop_.run_until(Clock::system().now() + 1ms);
  }
}

TEST_F(ClientTest, AnHttp1AnswerIsNoHttp2) {
  const RudeServer server("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
  target_.port = server.port();
  const auto client = make_http2_client(loop_, 1);
  connect(client);
  const auto reply = call(*client, grpc("/s.S/Echo", ""));
  ASSERT_TRUE(reply.error);
  EXPECT_FALSE(client->usable());
  client->close();
  loop_.run_until(Clock::system().now() + 1ms);
}

TEST_F(ClientTest, ARefusedConnectionSaysSo) {
  const std::uint16_t port = target_.port;
  server_->stop();
  std::optional<Status> connected;
  const auto client = make_http1_client(loop_);
  client->connect({"127.0.0.1", port}, kNever, [&](Status status) {
    connected = std::move(status);
    loop_.stop();
  });
  loop_.run_until(Clock::system().now() + 10s);
  ASSERT_TRUE(connected);
  EXPECT_EQ(connected->error().message, "connecting to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
}

TEST(ClientRequest, HeadsAreCompleteForBothVersions) {
  const auto request = make_http_request({"POST", "h:1", "/p", {{"Content-Type", "a/b"}}}, Slice::of("xy"));
  EXPECT_EQ(request.http1_head, "POST /p HTTP/1.1\r\nhost: h:1\r\ncontent-type: a/b\r\ncontent-length: 2\r\n\r\n");
  EXPECT_EQ(request.fields.back(), (std::pair<std::string, std::string>("content-length", "2")));
  const auto call = make_grpc_request("h", "/s/M", Slice::of("abc"), 1500us);
  EXPECT_EQ(call.fields.back(), (std::pair<std::string, std::string>("grpc-timeout", "1500u")));
  using namespace std::string_literals;
  EXPECT_EQ(call.body.text(), "\0\0\0\0\3abc"s);
  EXPECT_EQ(make_grpc_request("h", "/s/M", {}, std::chrono::hours(30)).fields.back().second, "99999999m");
}

}  // namespace
}  // namespace protean
