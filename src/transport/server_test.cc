// SPDX-License-Identifier: Apache-2.0
// The server over real sockets on a port of the kernel's choice: connections, half-closes, resets, draining.
#include "transport/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "transport/session_test_support.h"
#include "transport/socket_test_support.h"

namespace protean {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TestClient;
using namespace std::chrono_literals;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string get(std::string_view path) { return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n"; }

/// Answers with the path; keeps /hold until the test takes it; answers /thread from another thread.
class ServerHandler final : public RequestHandler {
 public:
  ~ServerHandler() override {
    for (auto& thread : threads_) thread.join();
  }
  [[nodiscard]] BodyMode body_mode(const RequestHead&) const override { return BodyMode::kWhole; }
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream>) override { return nullptr; }

  void on_exchange(std::shared_ptr<Exchange> exchange) override {
    const std::string path = exchange->head().path;
    if (path == "/hold") {
      const std::lock_guard lock(mutex_);
      held_.push_back(std::move(exchange));
      changed_.notify_all();
    } else if (path == "/thread") {
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([exchange = std::move(exchange)] { testing::answer_with_request(*exchange); });
    } else if (path == "/large") {
      exchange->respond(make_response(200, "application/octet-stream", Slice::of(std::string(32U << 20, 'x'))));
    } else {
      testing::answer_with_request(*exchange);
    }
  }
  std::shared_ptr<Exchange> take_held() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 10s, [this] { return !held_.empty(); }));
    auto exchange = std::move(held_.front());
    held_.erase(held_.begin());
    return exchange;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Exchange>> held_;
  std::vector<std::thread> threads_;
};

class ServerTest : public ::testing::Test {
 protected:
  TransportServer::Options options() {
    TransportServer::Options made;
    made.listeners.push_back({"127.0.0.1", 0, std::nullopt});
    made.io_threads = io_threads_;
    made.context.handler = &handler_;
    made.context.limits = limits_;
    made.context.memory = &memory_;
    made.context.metrics = &metrics_;
    return made;
  }
  void start() {
    auto made = TransportServer::make(options());
    ASSERT_TRUE(made) << made.error().message;
    server_ = *std::move(made);
    port_ = server_->bound_addresses().at(0).port;
    server_->start();
  }

  metrics::Registry registry_;
  TransportMetrics metrics_{registry_};
  MemoryBudget memory_{std::size_t{1} << 30};
  Limits limits_;
  ServerHandler handler_;
  std::unique_ptr<TransportServer> server_;
  std::size_t io_threads_ = 2;
  std::uint16_t port_ = 0;
};

TEST_F(ServerTest, AnswersOnAKeptConnection) {
  start();
  EXPECT_NE(port_, 0);
  EXPECT_EQ(server_->bound_addresses()[0].url(), "http://127.0.0.1:" + std::to_string(port_));
  const TestClient client(port_);
  for (int i = 0; i < 3; ++i) {
    client.send(get("/a"));
    EXPECT_THAT(client.receive_until("GET /a"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
  client.send(get("/thread"));
  EXPECT_THAT(client.receive_until("GET /thread"), EndsWith("GET /thread"));
}

TEST_F(ServerTest, SaysWhichPortIsInUse) {
  start();
  auto second = options();
  second.listeners[0].port = port_;
  const auto made = TransportServer::make(std::move(second));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kAlreadyExists);
  EXPECT_EQ(made.error().message,
            "cannot listen on 127.0.0.1:" + std::to_string(port_) + ": the port is in use by another process");
}

TEST_F(ServerTest, SaysWhichHostIsUnknown) {
  auto bad = options();
  bad.listeners[0].host = "256.0.0.1";
  const auto made = TransportServer::make(std::move(bad));
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("no address for host '256.0.0.1'"));
}

TEST_F(ServerTest, ServesManyConnectionsAtOnce) {
  start();
  std::vector<TestClient> clients;
  for (int i = 0; i < 50; ++i) clients.emplace_back(port_);
  for (const auto& client : clients) client.send(get("/a") + get("/thread") + get("/b"));
  for (const auto& client : clients) EXPECT_THAT(client.receive_until("GET /b"), HasSubstr("GET /thread"));
}

TEST_F(ServerTest, CarriesLargeBodiesBothWays) {
  start();
  const TestClient client(port_);
  const std::string body(5U << 20, 'b');
  client.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body + "");
  const std::string answer = client.receive_until("bb");
  EXPECT_THAT(answer, HasSubstr("content-length: " + std::to_string(body.size() + 8)));
  client.send(get("/large"));
  const std::string rest = client.receive_bytes(body.size() + 8 - (answer.size() - answer.find("\r\n\r\n") - 4));
  EXPECT_EQ(rest.size() + answer.size() - answer.find("\r\n\r\n") - 4, body.size() + 8);
  EXPECT_THAT(client.receive_bytes(32U << 20), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServerTest, TellsTheProtocolsApartHoweverTheirFirstBytesArrive) {
  start();
  const TestClient http2(port_);
  for (const char c : kPreface) http2.send({&c, 1});
  http2.send(std::string_view("\0\0\0\4\0\0\0\0\0", 9));  // an empty SETTINGS frame
  const std::string frame = http2.receive_bytes(9);
  ASSERT_EQ(frame.size(), 9U);
  EXPECT_EQ(frame[3], 4);  // SETTINGS, RFC 9113 6.5
  const TestClient http1(port_);
  http1.send("PRI");
  http1.send("NT /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(http1.receive_until("PRINT /a"), StartsWith("HTTP/1.1 "));
}

TEST_F(ServerTest, AnswersAClientThatClosedItsSide) {
  start();
  const TestClient client(port_);
  client.send(get("/hold"));
  client.finish_sending();
  handler_.take_held()->respond(make_response(200, "text/plain", Slice::of("late")));
  EXPECT_THAT(client.receive_all(), EndsWith("late"));
}

TEST_F(ServerTest, CancelsWhenTheClientResets) {
  start();
  TestClient client(port_);
  client.send(get("/hold"));
  const auto exchange = handler_.take_held();
  client.reset();
  const auto patience = std::chrono::steady_clock::now() + 10s;
  while (!exchange->cancelled() && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  EXPECT_TRUE(exchange->cancelled());
}

TEST_F(ServerTest, CancelsWhenAHalfClosedClientResets) {
  start();
  TestClient client(port_);
  client.send(get("/hold"));
  client.finish_sending();
  const auto exchange = handler_.take_held();
  client.reset();
  const auto patience = std::chrono::steady_clock::now() + 10s;
  while (!exchange->cancelled() && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  EXPECT_TRUE(exchange->cancelled());
}

TEST_F(ServerTest, LetsTheClientSeeWhyItWasRefused) {
  start();
  const TestClient client(port_);
  // The body is larger than the socket buffers: a plain close would reset the answer away.
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999\r\n\r\n" + std::string(3U << 20, 'x'));
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, ClosesAClientThatDoesNotReadItsAnswers) {
  limits_.body_idle_max = 1ms;
  start();
  const TestClient client(port_);
  client.send(get("/large"));
  EXPECT_TRUE(client.wait_for_reset());
}

TEST_F(ServerTest, RefusesConnectionsOverTheLimit) {
  limits_.connections_max = 1;
  start();
  const TestClient first(port_);
  first.send(get("/a"));
  first.receive_until("GET /a");
  const TestClient second(port_);
  EXPECT_EQ(second.receive_all(), "");
  EXPECT_EQ(metrics_.connections_refused->value(), 1U);
  first.send(get("/a"));
  EXPECT_THAT(first.receive_until("GET /a"), EndsWith("GET /a"));
}

TEST_F(ServerTest, DrainsWhatIsInFlight) {
  io_threads_ = 1;  // what one connection sees of draining, the other has seen
  start();
  const TestClient idle(port_);
  idle.send(get("/a"));
  idle.receive_until("GET /a");
  const TestClient busy(port_);
  busy.send(get("/hold"));
  const auto exchange = handler_.take_held();
  std::thread draining([&] { EXPECT_TRUE(server_->drain(Clock::system().now() + 10s)); });
  EXPECT_EQ(idle.receive_all(), "");
  exchange->respond(make_response(200, "text/plain", Slice::of("done")));
  EXPECT_THAT(busy.receive_all(), AllOf(HasSubstr("connection: close"), EndsWith("done")));
  draining.join();
}

TEST_F(ServerTest, CutsOffWhatDoesNotFinishInTime) {
  start();
  const TestClient client(port_);
  client.send(get("/hold"));
  const auto exchange = handler_.take_held();
  EXPECT_FALSE(server_->drain(Clock::system().now()));
  EXPECT_TRUE(exchange->cancelled());
  EXPECT_EQ(client.receive_all(), "");
  server_.reset();
  exchange->respond(make_response(200, "text/plain", Slice::of("too late")));
}

TEST_F(ServerTest, StopsWithoutHavingStarted) {
  auto made = TransportServer::make(options());
  ASSERT_TRUE(made);
  (*made)->stop();
}

TEST_F(ServerTest, SurvivesClientsThatComeAndGoWhileItDrains) {
  start();
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([this] {
      for (int round = 0; round < 20; ++round) {
        TestClient client(port_);
        if (!client.send(get("/a") + get("/thread") + get("/b"))) continue;
        if (round % 3 == 0) client.reset();
        if (round % 3 == 1) client.receive_until("GET /b");
      }
    });
  }
  for (auto& client : clients) client.join();
  TestClient last(port_);
  last.send(get("/thread"));
  EXPECT_TRUE(server_->drain(Clock::system().now() + 10s));
}

}  // namespace
}  // namespace protean
