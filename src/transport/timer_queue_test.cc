// SPDX-License-Identifier: Apache-2.0
// Timers fire in the order of time, whatever was added and cancelled in between.
#include "transport/timer_queue.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace protean {
namespace {

TimePoint at(int ms) { return TimePoint{std::chrono::milliseconds(ms)}; }

std::vector<int> run_until(TimerQueue& queue, int ms, std::vector<int>& fired) {
  for (auto due = queue.take_due(at(ms)); due.second; due = queue.take_due(at(ms))) due.second();
  return fired;
}

TEST(TimerQueue, FiresWhatIsDueInOrder) {
  TimerQueue queue;
  std::vector<int> fired;
  for (const int ms : {30, 10, 20, 40}) queue.add(at(ms), nullptr, [&fired, ms] { fired.push_back(ms); });
  EXPECT_EQ(queue.next(), at(10));
  EXPECT_EQ(run_until(queue, 30, fired), (std::vector<int>{10, 20, 30}));
  EXPECT_EQ(queue.next(), at(40));
}

TEST(TimerQueue, CancelsOnceAndOnlyItsOwn) {
  TimerQueue queue;
  std::vector<int> fired;
  const auto first = queue.add(at(10), nullptr, [&] { fired.push_back(10); });
  EXPECT_NE(first, 0U);
  EXPECT_TRUE(queue.cancel(first));
  EXPECT_FALSE(queue.cancel(first));
  const auto second = queue.add(at(20), nullptr, [&] { fired.push_back(20); });
  EXPECT_NE(first, second);
  EXPECT_FALSE(queue.cancel(first));  // the slot is used again, the id is not
  EXPECT_FALSE(queue.cancel(0));
  EXPECT_FALSE(queue.cancel(99));
  EXPECT_EQ(run_until(queue, 100, fired), std::vector<int>{20});
  EXPECT_EQ(queue.next(), kNever);
}

TEST(TimerQueue, CancelsWhatBelongsToAnOwner) {
  TimerQueue queue;
  std::vector<int> fired;
  const int mine = 0;
  for (int i = 0; i < 10; ++i) queue.add(at(i), i % 2 == 0 ? &mine : nullptr, [&fired, i] { fired.push_back(i); });
  queue.cancel_owned(&mine);
  EXPECT_EQ(run_until(queue, 100, fired), (std::vector<int>{1, 3, 5, 7, 9}));
}

TEST(TimerQueue, AgreesWithASortedSet) {
  std::mt19937 random(7);
  TimerQueue queue;
  std::set<std::pair<TimePoint, std::uint64_t>> model;
  std::vector<std::pair<std::uint64_t, TimePoint>> ids;
  for (int step = 0; step < 5000; ++step) {
    if (random() % 3 != 0 || ids.empty()) {
      const TimePoint when = at(static_cast<int>(random() % 1000));
      const auto id = queue.add(when, nullptr, [] {});
      model.emplace(when, id);
      ids.emplace_back(id, when);
    } else {
      const auto [id, when] = ids[random() % ids.size()];
      EXPECT_EQ(queue.cancel(id), model.erase({when, id}) == 1);
    }
    ASSERT_EQ(queue.size(), model.size());
    ASSERT_EQ(queue.next(), model.empty() ? kNever : model.begin()->first);
  }
  TimePoint last{};
  while (queue.size() > 0) {
    const TimePoint next = queue.next();
    EXPECT_GE(next, last);
    last = next;
    EXPECT_TRUE(queue.take_due(next).second);
  }
}

}  // namespace
}  // namespace protean
