// SPDX-License-Identifier: Apache-2.0
// Examples of the W3C specification and everything it tells to ignore.
#include "monitoring/trace_context.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace protean {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSpan = "00f067aa0ba902b7";

TEST(Traceparent, ReadsTheExampleOfTheSpecification) {
  const auto context = parse_traceparent("00-" + kTrace + "-" + kSpan + "-01");
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->trace_id, kTrace);
  EXPECT_EQ(context->span_id, kSpan);
  EXPECT_TRUE(context->sampled);
  EXPECT_FALSE(parse_traceparent("00-" + kTrace + "-" + kSpan + "-00")->sampled);
  EXPECT_FALSE(parse_traceparent("00-" + kTrace + "-" + kSpan + "-02")->sampled);
  EXPECT_TRUE(parse_traceparent("00-" + kTrace + "-" + kSpan + "-ff")->sampled);
}

TEST(Traceparent, TakesLaterVersionsThatBeginAlike) {
  EXPECT_TRUE(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01"));
  EXPECT_TRUE(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01-what-the-future-brings"));
  EXPECT_FALSE(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01.what"));
}

TEST(Traceparent, IgnoresWhatIsMalformed) {
  const std::string good = "00-" + kTrace + "-" + kSpan + "-01";
  EXPECT_FALSE(parse_traceparent(""));
  EXPECT_FALSE(parse_traceparent("ff" + good.substr(2)));
  EXPECT_FALSE(parse_traceparent(good + "-extra"));
  EXPECT_FALSE(parse_traceparent(good + "0"));
  EXPECT_FALSE(parse_traceparent(" " + good));
  EXPECT_FALSE(parse_traceparent("00-" + std::string(32, '0') + "-" + kSpan + "-01"));
  EXPECT_FALSE(parse_traceparent("00-" + kTrace + "-" + std::string(16, '0') + "-01"));
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_traceparent(good.substr(0, size))) << size;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char wrong : {'G', 'A', '_', '\0'}) {
      std::string bad = good;
      bad[at] = wrong;
      EXPECT_FALSE(parse_traceparent(bad)) << bad;
    }
  }
}

TEST(RequestId, IsTheClientsWhenUsable) {
  HeaderList headers;
  headers.add("X-Request-ID", "order-17/a:b");
  EXPECT_EQ(request_id(headers), "order-17/a:b");
  EXPECT_TRUE(is_usable_request_id(std::string(128, 'x')));
  for (const std::string& bad : {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a\"b"),
                                 std::string("a\\b"), std::string("a\nb"), std::string("\xC3\xA9")}) {
    EXPECT_FALSE(is_usable_request_id(bad)) << bad;
    HeaderList unusable;
    unusable.add("x-request-id", bad);
    EXPECT_EQ(request_id(unusable).size(), 32) << bad;
  }
}

TEST(RequestId, IsMadeOf128BitsAndDiffersBetweenCallsAndThreads) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(make_request_id());
  std::string other;
  std::thread([&] { other = make_request_id(); }).join();
  seen.insert(other);
  EXPECT_EQ(seen.size(), 1001);
  for (const auto& id : seen) {
    EXPECT_EQ(id.size(), 32);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
  }
}

}  // namespace
}  // namespace protean
