// SPDX-License-Identifier: Apache-2.0
// Answers that come from other threads: meant to be run under ThreadSanitizer as well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "transport/http2/session_test_support.h"

namespace protean::http2 {
namespace {

TEST(Http2Threads, AnswersComeFromManyThreadsAtOnce) {
  constexpr int kRequests = 60;
  Pair pair;
  std::vector<std::int32_t> ids;
  for (int i = 0; i < kRequests; ++i) ids.push_back(pair.call("/Unary", std::to_string(i)));
  pair.run();
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < kRequests; i += 3) {
        auto exchange = std::move(pair.handler.exchanges[i]);
        Response response;
        response.body.push_back(exchange->body());
        exchange->respond(std::move(response));
      }
    });
  }
  while (pair.session->in_flight() > 0) {
    std::this_thread::yield();
    pair.run();
  }
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < kRequests; ++i)
    EXPECT_EQ(pair.answer(ids[static_cast<std::size_t>(i)]).body, framed(std::to_string(i)));
}

TEST(Http2Threads, PiecesKeepTheirOrder) {
  Pair pair;
  const auto id = pair.request(http_fields("GET", "/"));
  pair.run();
  std::string expected;
  std::thread writer([exchange = std::move(pair.handler.exchanges[0]), &expected] {
    exchange->start(make_response(200, "text/plain", {}));
    for (int i = 0; i < 1000; ++i) {
      expected += std::to_string(i);
      exchange->write(Slice::of(std::to_string(i)), nullptr);
    }
    exchange->finish();
  });
  while (!pair.answer(id).ended) {
    std::this_thread::yield();
    pair.run();
  }
  writer.join();
  EXPECT_EQ(pair.answer(id).body, expected);
}

TEST(Http2Threads, AnswersMayComeWhileTheConnectionEnds) {
  for (int round = 0; round < 20; ++round) {
    Pair pair;
    for (int i = 0; i < 10; ++i) pair.call("/Unary", "x");
    pair.run();
    std::thread worker([exchanges = std::exchange(pair.handler.exchanges, {})]() mutable {
      for (auto& exchange : exchanges) {
        if (!exchange->cancelled()) exchange->respond(Response{});
        exchange.reset();
      }
    });
    pair.session->on_closed();
    pair.session.reset();
    worker.join();
  }
}

}  // namespace
}  // namespace protean::http2
