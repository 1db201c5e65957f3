// SPDX-License-Identifier: Apache-2.0
// The generator against our own transport with handlers that answer well, badly or never: what is counted must be what
// happened.
#include "cli/load/load_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "transport/server.h"
#include "transport/session_test_support.h"

namespace protean {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Answers by path, and counts.
class CountingHandler final : public RequestHandler {
 public:
  [[nodiscard]] BodyMode body_mode(const RequestHead&) const override { return BodyMode::kWhole; }
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream>) override { return nullptr; }
  void on_exchange(std::shared_ptr<Exchange> exchange) override {
    ++seen;
    const std::string path = exchange->head().path;
    if (path == "/busy")
      return exchange->respond(make_response(503, "application/json", Slice::of(R"({"error":"full"})")));
    if (path == "/never") {
      const std::lock_guard lock(mutex_);
      held_.push_back(std::move(exchange));
      return;
    }
    Response response = make_response(200, "text/plain", Slice::of("0123456789"));
    if (path == "/close") response.headers.emplace_back("connection", "close");
    exchange->respond(std::move(response));
  }

  std::atomic<std::uint64_t> seen{0};

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> held_;
};

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    TransportServer::Options options;
    ListenerOptions listener;
    listener.port = 0;
    options.listeners.push_back(listener);
    options.context.handler = &handler_;
    options.context.memory = &memory_;
    options.context.metrics = &metrics_;
    server_ = TransportServer::make(std::move(options)).value();
    server_->start();
    plan_.target = {"127.0.0.1", server_->bound_addresses().at(0).port};
    plan_.duration = 250ms;
    plan_.timeout = 10s;
  }
  ~LoadTest() override { server_->stop(); }

  void add(std::string_view path, std::uint64_t rows) {
    const RequestLine line{"POST", "h", path, {}};
    plan_.requests.push_back({std::make_shared<const ClientRequest>(make_http_request(line, Slice::of("abc"))), rows});
  }
  LoadResult run() const { return run_load(plan_, {}); }

  metrics::Registry registry_;
  TransportMetrics metrics_{registry_};
  MemoryBudget memory_{std::size_t{1} << 30};
  CountingHandler handler_;
  std::unique_ptr<TransportServer> server_;
  LoadPlan plan_;
};

TEST_F(LoadTest, AClosedLoopCountsWhatTheServerSaw) {
  add("/a", 3);
  plan_.connections = 3;
  plan_.threads = 2;
  const LoadResult result = run();
  EXPECT_GT(result.ok, 0U);
  EXPECT_EQ(result.ok, handler_.seen);
  EXPECT_EQ(result.failed + result.dropped, 0U);
  EXPECT_EQ(result.latency.count(), result.ok);
  EXPECT_EQ(result.bytes_sent, 3 * result.ok);
  EXPECT_EQ(result.bytes_received, 10 * result.ok);
  EXPECT_EQ(result.finished_rows, 3 * result.finished);
  EXPECT_LE(result.finished, result.ok);  // those in flight at the end finish after it
  EXPECT_EQ(result.measured, 250ms);
}

TEST_F(LoadTest, StreamsShareHttp2Connections) {
  plan_.requests.push_back(
      {std::make_shared<const ClientRequest>(make_grpc_request("h", "/s/M", Slice::of("m"), 10s)), 1});
  plan_.http2 = true;
  plan_.connections = 2;
  plan_.streams = 8;
  const LoadResult result = run();
  EXPECT_GT(result.ok, 0U);
  EXPECT_EQ(result.ok, handler_.seen);
  EXPECT_EQ(result.failures.size(), 0U);
}

TEST_F(LoadTest, AnOpenLoopAccountsForEveryArrival) {
  add("/a", 1);
  plan_.rate = 1024;
  plan_.warm_up = 125ms;
  plan_.threads = 2;
  plan_.connections = 2;
  const LoadResult result = run();
  EXPECT_EQ(result.ok + result.failed + result.dropped, 256U);  // 1024/s for 250 ms, whatever the machine does
  EXPECT_EQ(result.failed, 0U);
}

TEST_F(LoadTest, ABoundedBacklogDropsAndSaysSo) {
  add("/never", 1);
  plan_.rate = 1024;
  plan_.timeout = 500ms;
  plan_.backlog_max = 10;
  const LoadResult result = run();
  EXPECT_EQ(result.ok, 0U);
  EXPECT_EQ(result.failed + result.dropped, 256U);
  EXPECT_GE(result.dropped, 200U);
  EXPECT_GE(result.failures.at("timeout"), 1U);
}

TEST_F(LoadTest, FailuresAreCountedByStatus) {
  add("/a", 1);
  add("/busy", 1);
  const LoadResult result = run();
  EXPECT_GT(result.ok, 0U);
  EXPECT_EQ(result.failures.at("HTTP 503"), result.failed);
  EXPECT_EQ(result.ok + result.failed, handler_.seen);
  EXPECT_EQ(result.first_failure, "HTTP 503: full");
}

TEST_F(LoadTest, ConnectionsThatTheServerClosesAreMadeAnew) {
  add("/close", 1);
  const LoadResult result = run();
  EXPECT_GT(result.ok, 1U);
  EXPECT_EQ(result.failed, 0U);
  EXPECT_GE(result.reconnects + 1, result.ok);
}

TEST_F(LoadTest, NobodyThereIsAFailureWithAReason) {
  add("/a", 1);
  server_->stop();
  const LoadResult result = run();
  EXPECT_EQ(result.ok, 0U);
  EXPECT_GE(result.failures.at("connection"), 1U);
  EXPECT_THAT(result.first_failure, HasSubstr("Connection refused"));
}

TEST_F(LoadTest, StoppingEndsItAndBlamesNobody) {
  add("/never", 1);
  plan_.duration = std::chrono::hours(1);
  std::stop_source stop;
  stop.request_stop();
  const LoadResult result = run_load(plan_, stop.get_token());
  EXPECT_EQ(result.failed + result.dropped, 0U);
}

TEST_F(LoadTest, OneRequestCanBeSentAlone) {
  add("/a", 1);
  const auto reply = send_once(plan_.target, false, plan_.requests[0].request, 10s);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "0123456789");
  add("/never", 1);
  EXPECT_EQ(send_once(plan_.target, false, plan_.requests[1].request, 1ms).error().code, Code::kDeadlineExceeded);
}

TEST(FailureLabel, NamesWhatWentWrong) {
  ClientReply reply;
  reply.status = 200;
  EXPECT_EQ(failure_label(reply, false), "");
  EXPECT_EQ(failure_label(reply, true), "gRPC without a status");
  reply.grpc_status = 8;
  EXPECT_EQ(failure_label(reply, true), "gRPC 8 RESOURCE_EXHAUSTED");
  reply.grpc_message = "queue full";
  EXPECT_EQ(failure_text(reply, true), "gRPC 8 RESOURCE_EXHAUSTED: queue full");
  reply.status = 404;
  EXPECT_EQ(failure_label(reply, false), "HTTP 404");
  reply.error = Error{Code::kInternal, "not HTTP", {}, {}};
  EXPECT_EQ(failure_label(reply, false), "malformed answer");
}

}  // namespace
}  // namespace protean
