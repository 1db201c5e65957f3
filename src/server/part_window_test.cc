// SPDX-License-Identifier: Apache-2.0
// A run that makes parts faster than they leave waits; one that nobody waits for does not wait for ever.
#include "server/part_window.h"

#include <gtest/gtest.h>

#include <future>

namespace protean {
namespace {

TEST(PartWindow, WaitsUntilEnoughHasLeft) {
  const auto window = std::make_shared<PartWindow>(10);
  const std::stop_source nobody_cancels;
  auto first = window->take(4);
  EXPECT_TRUE(window->wait(nobody_cancels.get_token(), kNever)) << "4 of 10 are on their way";
  auto second = window->take(100);
  auto waiting = std::async(std::launch::async, [&] { return window->wait(nobody_cancels.get_token(), kNever); });
  first = nullptr;
  EXPECT_EQ(waiting.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "100 of 10 are on their way";
  second = nullptr;
  EXPECT_TRUE(waiting.get().has_value());
}

TEST(PartWindow, StopsWaitingWhenNobodyTakesTheAnswer) {
  const auto window = std::make_shared<PartWindow>(1);
  std::stop_source cancel;
  const auto owner = window->take(1);
  auto waiting = std::async(std::launch::async, [&] { return window->wait(cancel.get_token(), kNever); });
  cancel.request_stop();
  const auto waited = waiting.get();
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Code::kCancelled);
}

TEST(PartWindow, StopsWaitingForAClientThatDoesNotRead) {
  const auto window = std::make_shared<PartWindow>(1);
  const std::stop_source nobody_cancels;
  const TimePoint past = Clock::system().now();
  EXPECT_TRUE(window->wait(nobody_cancels.get_token(), past)) << "there is room";
  const auto owner = window->take(1);
  const auto waited = window->wait(nobody_cancels.get_token(), past);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Code::kDeadlineExceeded);
}

TEST(PartWindow, OutlivesWhatIsOnItsWay) {
  auto window = std::make_shared<PartWindow>(1);
  auto owner = window->take(1);
  window = nullptr;
  owner = nullptr;
}

}  // namespace
}  // namespace protean
