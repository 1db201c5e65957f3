// SPDX-License-Identifier: Apache-2.0
// What a relay needs of both ends: a server that leaves content codings alone, and clients that keep fields and
// trailers and charge what they keep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "transport/client/client_connection.h"
#include "transport/server.h"
#include "transport/transport_metrics.h"

namespace protean {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::Not;
using ::testing::Pair;

constexpr std::size_t kAnswerBytes = 4000;

/// Tells whether the body came as it was sent, and answers with text that compresses well.
class Handler final : public RequestHandler {
 public:
  [[nodiscard]] BodyMode body_mode(const RequestHead&) const override { return BodyMode::kWhole; }
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream>) override { return nullptr; }
  void on_exchange(std::shared_ptr<Exchange> exchange) override {
    Response response = make_response(200, "text/plain", Slice::of(std::string(kAnswerBytes, 'x')));
    response.headers.emplace_back("x-body", exchange->body().text());
    if (exchange->head().wire == Wire::kGrpc && exchange->head().path == "/s.S/Fail") {
      response.grpc_code = Code::kNotFound;
      response.body.clear();
    }
    exchange->respond(std::move(response));
  }
};

class PassThroughTest : public ::testing::Test {
 protected:
  PassThroughTest() {
    TransportServer::Options options;
    ListenerOptions listener;
    listener.port = 0;
    options.listeners.push_back(listener);
    options.context.handler = &handler_;
    options.context.memory = &memory_;
    options.context.metrics = &metrics_;
    options.context.keeps_coding = true;
    server_ = TransportServer::make(std::move(options)).value();
    server_->start();
  }
  ~PassThroughTest() override { server_->stop(); }

  ClientReply call(const std::shared_ptr<ClientConnection>& client, ClientRequest request, SendOptions options) {
    std::optional<ClientReply> reply;
    client->connect({"127.0.0.1", server_->bound_addresses().at(0).port}, kNever, [&](const Status& connected) {
      ASSERT_TRUE(connected);
      client->send(std::make_shared<const ClientRequest>(std::move(request)), options, [&](ClientReply got) {
        reply = std::move(got);
        loop_.stop();
      });
    });
    loop_.run_until(Clock::system().now() + 10s);
    client->close();
    EXPECT_TRUE(reply);
    return reply.value_or(ClientReply{});
  }

  static SendOptions keeping() {
    SendOptions options;
    options.keep_max = 1 << 20;
    options.keep_fields = true;
    return options;
  }

  metrics::Registry registry_;
  TransportMetrics metrics_{registry_};
  MemoryBudget memory_{1 << 20};
  Handler handler_;
  std::unique_ptr<TransportServer> server_;
  ClientLoop loop_;
};

TEST_F(PassThroughTest, NeitherBodiesNorAnswersAreCoded) {
  for (const auto& client : {make_http1_client(loop_), make_http2_client(loop_, 1)}) {
    const auto request = make_http_request(
        {"POST", "h", "/", {{"content-encoding", "gzip"}, {"accept-encoding", "gzip, zstd"}}}, Slice::of("no gzip"));
    const auto reply = call(client, request, keeping());
    EXPECT_EQ(reply.status, 200);
    EXPECT_THAT(reply.fields, Contains(Pair("x-body", "no gzip")));
    EXPECT_THAT(reply.fields, Not(Contains(Pair("content-encoding", ::testing::_))));
    EXPECT_EQ(reply.body, std::string(kAnswerBytes, 'x'));
  }
}

TEST_F(PassThroughTest, AnUnknownCodingIsNoneOfOurBusiness) {
  const auto request = make_http_request({"POST", "h", "/", {{"content-encoding", "br"}}}, Slice::of("b"));
  for (const auto& client : {make_http1_client(loop_), make_http2_client(loop_, 1)}) {
    EXPECT_EQ(call(client, request, keeping()).status, 200);
  }
}

TEST_F(PassThroughTest, FieldsAreKeptOnlyWhenAskedFor) {
  const auto reply = call(make_http1_client(loop_), make_http_request({"POST", "h", "/", {}}, Slice::of("b")), {});
  EXPECT_TRUE(reply.fields.empty());
}

TEST_F(PassThroughTest, CallsTellTheirMetadataAndTrailersApart) {
  const std::vector<std::pair<std::string, std::string>> metadata = {{"X-Mine", "1"}};
  const auto good =
      call(make_http2_client(loop_, 1), make_grpc_request("h", "/s.S/M", Slice::of("m"), 10s, metadata), keeping());
  EXPECT_THAT(good.fields, Contains(Pair("x-body", "m")));
  EXPECT_THAT(good.trailers, Contains(Pair("grpc-status", "0")));
  EXPECT_THAT(good.fields, Not(Contains(Pair("grpc-status", "0"))));
  const auto bad = call(make_http2_client(loop_, 1), make_grpc_request("h", "/s.S/Fail", {}, 10s), keeping());
  EXPECT_EQ(bad.grpc_status, 5);
  EXPECT_THAT(bad.fields, Contains(Pair("grpc-status", "5")));  // no message, so the only field list there is
}

TEST_F(PassThroughTest, WhatIsKeptIsChargedAndGivenBack) {
  MemoryBudget budget(kAnswerBytes);
  auto options = keeping();
  options.memory = &budget;
  const auto request = make_http_request({"POST", "h", "/", {}}, Slice::of("b"));
  {
    const auto reply = call(make_http1_client(loop_), request, options);
    EXPECT_EQ(reply.body.size(), kAnswerBytes);
    EXPECT_EQ(budget.held(), kAnswerBytes);
    // Nothing is left for a second one: it is read to its end, not kept, and says so.
    const auto second = call(make_http2_client(loop_, 1), request, options);
    EXPECT_FALSE(second.error);
    EXPECT_EQ(second.body_bytes, kAnswerBytes);
    EXPECT_LT(second.body.size(), kAnswerBytes);
  }
  EXPECT_EQ(budget.held(), 0U);
}

TEST_F(PassThroughTest, AnAnswerToHeadHasNoBodyWhateverItsLengthSays) {
  const auto reply = call(make_http1_client(loop_), make_http_request({"HEAD", "h", "/", {}}, {}), keeping());
  EXPECT_FALSE(reply.error) << reply.error->message;
  EXPECT_THAT(reply.fields, Contains(Pair("content-length", "4000")));
  EXPECT_TRUE(reply.body.empty());
}

}  // namespace
}  // namespace protean
