// SPDX-License-Identifier: Apache-2.0
#include "core/inference.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

constexpr TimePoint kReceived{std::chrono::seconds(100)};

InferRequest with(std::string name, Parameter value) {
  InferRequest request;
  request.parameters.emplace_back(std::move(name), std::move(value));
  return request;
}

TEST(ReadScheduling, PriorityIsTaken) {
  auto request = with("priority", std::uint64_t{3});
  EXPECT_TRUE(read_scheduling(request, kReceived));
  EXPECT_EQ(request.priority, 3U);
  auto zero = with("priority", std::int64_t{0});
  EXPECT_TRUE(read_scheduling(zero, kReceived));
  EXPECT_EQ(zero.priority, 0U);
}

TEST(ReadScheduling, PriorityOutOfRangeOrOfAnotherTypeIsRefused) {
  for (const Parameter& value : {Parameter(std::uint64_t{10}), Parameter(std::int64_t{-1}), Parameter(1.5),
                                 Parameter(true), Parameter(std::string("high"))}) {
    auto request = with("priority", value);
    EXPECT_EQ(read_scheduling(request, kReceived).error().code, Code::kInvalidArgument);
  }
}

TEST(ReadScheduling, TimeoutIsMicrosecondsFromTheFirstByte) {
  auto request = with("timeout", std::uint64_t{2500});
  EXPECT_TRUE(read_scheduling(request, kReceived));
  EXPECT_EQ(request.deadline - kReceived, std::chrono::microseconds(2500));
}

TEST(ReadScheduling, AnEarlierDeadlineStays) {
  auto request = with("timeout", std::uint64_t{2500});
  request.deadline = kReceived + std::chrono::microseconds(10);
  EXPECT_TRUE(read_scheduling(request, kReceived));
  EXPECT_EQ(request.deadline - kReceived, std::chrono::microseconds(10));
}

TEST(ReadScheduling, NoTimeoutAndOneBeyondAllTimeAreTheSame) {
  for (const std::uint64_t value : {std::uint64_t{0}, UINT64_MAX}) {
    auto request = with("timeout", value);
    EXPECT_TRUE(read_scheduling(request, kReceived));
    EXPECT_EQ(request.deadline, kNever);
  }
}

}  // namespace
}  // namespace protean
