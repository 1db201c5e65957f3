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
  EXPECT_TRUE(window->wait(nobody_cancels.get_token())) << "4 of 10 are on their way";
  auto second = window->take(100);
  auto waiting = std::async(std::launch::async, [&] { return window->wait(nobody_cancels.get_token()); });
  first = nullptr;
  EXPECT_EQ(waiting.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "100 of 10 are on their way";
  second = nullptr;
  EXPECT_TRUE(waiting.get());
}

TEST(PartWindow, StopsWaitingWhenNobodyTakesTheAnswer) {
  const auto window = std::make_shared<PartWindow>(1);
  std::stop_source cancel;
  const auto owner = window->take(1);
  auto waiting = std::async(std::launch::async, [&] { return window->wait(cancel.get_token()); });
  cancel.request_stop();
  EXPECT_FALSE(waiting.get());
}

TEST(PartWindow, OutlivesWhatIsOnItsWay) {
  auto window = std::make_shared<PartWindow>(1);
  auto owner = window->take(1);
  window = nullptr;
  owner = nullptr;
}

}  // namespace
}  // namespace protean
