// SPDX-License-Identifier: Apache-2.0
#include "serving/versions/recent_requests.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(100)};

InferRequest request_of(const std::string& bytes) {
  Buffer data;
  data.append(bytes);
  InferRequest request;
  request.model = "m";
  request.outputs = {{"y", {}}};
  request.inputs.push_back(
      {"x", {DataType::kUint8, {static_cast<std::int64_t>(bytes.size())}, std::move(data).share()}, {}});
  return request;
}

std::vector<std::string> bytes_of(const RecentRequests& recent) {
  std::vector<std::string> all;
  for (const auto& request : recent.sample()) all.emplace_back(request->inputs.at(0).tensor.data.text());
  return all;
}

TEST(RecentRequests, KeepsTheNewestFirst) {
  RecentRequests recent(2);
  for (int i = 0; i < 4; ++i) recent.offer(request_of(std::to_string(i)), kStart + seconds(i));
  EXPECT_EQ(bytes_of(recent), (std::vector<std::string>{"3", "2"}));
}

TEST(RecentRequests, SamplesOneInASecondOnceItIsFull) {
  RecentRequests recent(2);
  recent.offer(request_of("a"), kStart);
  recent.offer(request_of("b"), kStart);
  recent.offer(request_of("c"), kStart + milliseconds(999));
  EXPECT_EQ(bytes_of(recent), (std::vector<std::string>{"b", "a"}));
  recent.offer(request_of("d"), kStart + seconds(1));
  EXPECT_EQ(bytes_of(recent), (std::vector<std::string>{"d", "b"}));
}

TEST(RecentRequests, StaysBelowItsBytes) {
  RecentRequests recent(100, 10);
  recent.offer(request_of("12345678901"), kStart);
  EXPECT_TRUE(bytes_of(recent).empty());
  for (int i = 0; i < 4; ++i) recent.offer(request_of("123" + std::to_string(i)), kStart + seconds(i));
  EXPECT_EQ(bytes_of(recent), (std::vector<std::string>{"1233", "1232"}));
}

TEST(RecentRequests, HoldsCopiesOfItsOwn) {
  RecentRequests recent(2);
  const InferRequest request = request_of("abc");
  recent.offer(request, kStart);
  const auto kept = recent.sample().at(0);
  EXPECT_NE(kept->inputs.at(0).tensor.data.bytes.data(), request.inputs.at(0).tensor.data.bytes.data());
  EXPECT_EQ(kept->inputs.at(0).tensor.shape, (Shape{3}));
  EXPECT_EQ(kept->outputs.at(0).name, "y");
  EXPECT_EQ(kept->model, "m");
}

TEST(RecentRequests, KeepsNothingWhenSwitchedOff) {
  RecentRequests recent(0);
  recent.offer(request_of("a"), kStart);
  EXPECT_TRUE(bytes_of(recent).empty());
}

}  // namespace
}  // namespace protean
