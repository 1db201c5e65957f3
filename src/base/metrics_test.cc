// SPDX-License-Identifier: Apache-2.0
// Sums over threads, slots that are handed on, and the registry.
#include "base/metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <thread>

namespace protean::metrics {
namespace {

TEST(Counter, AddsUpOverThreadsIncludingTheOnesThatEnded) {
  Counter counter;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 1000; ++n) counter.add();
      });
    }
    for (auto& thread : threads) thread.join();
  }
  EXPECT_EQ(counter.value(), 24'000);
}

TEST(Counter, LosesNothingWhenThereAreMoreThreadsThanSlots) {
  Counter counter;
  std::atomic<std::size_t> started{0};
  std::vector<std::thread> threads;
  constexpr std::size_t kThreads = kThreadSlots + 16;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      (void)thread_slot();
      started.fetch_add(1);
      while (started.load() < kThreads) std::this_thread::yield();  // all slots are taken at once
      for (int n = 0; n < 1000; ++n) counter.add(2);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), kThreads * 2000);
}

TEST(ThreadSlot, IsStableWithinAThreadAndBelowTheLimit) {
  const std::size_t own = thread_slot();
  EXPECT_EQ(thread_slot(), own);
  EXPECT_LT(own, kThreadSlots);
  std::size_t other = own;
  std::thread([&] { other = thread_slot(); }).join();
  EXPECT_NE(other, own);
}

TEST(Gauge, GoesUpAndDown) {
  Gauge gauge;
  gauge.set(2.5);
  gauge.add(-1);
  EXPECT_EQ(gauge.value(), 1.5);
}

TEST(Histogram, CountsInclusiveUpperLimits) {
  constexpr std::array<std::uint64_t, 3> kBounds = {10, 20, 30};
  Histogram histogram(kBounds, 1);
  for (const std::uint64_t value : {0, 10, 11, 20, 30, 31, 1000}) histogram.observe(value);
  EXPECT_EQ(histogram.bucket(0), 2);
  EXPECT_EQ(histogram.bucket(1), 2);
  EXPECT_EQ(histogram.bucket(2), 1);
  EXPECT_EQ(histogram.bucket(3), 2);
  EXPECT_EQ(histogram.sum(), 1102);
}

TEST(Histogram, WithoutBoundsHasTheInfiniteBucketOnly) {
  Histogram histogram({}, 1);
  histogram.observe(5);
  EXPECT_EQ(histogram.bucket(0), 1);
  EXPECT_EQ(histogram.sum(), 5);
}

TEST(LatencyBounds, AscendFromTenMicrosecondsToTenSeconds) {
  const auto bounds = latency_bounds_ns();
  EXPECT_EQ(bounds.front(), 10'000);
  EXPECT_EQ(bounds.back(), 10'000'000'000);
  EXPECT_TRUE(std::is_sorted(bounds.begin(), bounds.end()));
}

TEST(Registry, FindsTheSameMemberByTheSameLabels) {
  Registry registry;
  const auto a = registry.counter("c", "C.", {{"model", "a"}});
  EXPECT_EQ(registry.counter("c", "C.", {{"model", "a"}}), a);
  EXPECT_NE(registry.counter("c", "C.", {{"model", "b"}}), a);
  EXPECT_EQ(registry.snapshot().size(), 1);
  EXPECT_EQ(registry.snapshot()[0].members.size(), 2);
}

TEST(Registry, RemovesMembersThatCarryAllLabelsAndTheyLiveOnWithTheirHolders) {
  Registry registry;
  const auto gone = registry.counter("c", "C.", {{"model", "a"}, {"version", "1"}});
  (void)registry.counter("c", "C.", {{"model", "a"}, {"version", "2"}});
  (void)registry.gauge("g", "G.");
  registry.remove({{"version", "1"}, {"model", "a"}});
  const auto families = registry.snapshot();
  EXPECT_EQ(families[0].members.size(), 1);
  EXPECT_EQ(families[0].members[0].labels[1].second, "2");
  EXPECT_EQ(families[1].members.size(), 1);
  gone->add();
  EXPECT_EQ(gone->value(), 1);
  EXPECT_EQ(registry.counter("c", "C.", {{"model", "a"}, {"version", "1"}})->value(), 0);
}

TEST(Registry, RefreshesBeforeEachSnapshotAndMayBeUsedMeanwhile) {
  Registry registry;
  registry.on_snapshot([&] { registry.gauge("g", "G.")->add(1); });
  (void)registry.snapshot();
  EXPECT_EQ(registry.snapshot().at(0).members.at(0).gauge->value(), 2);
}

TEST(Registry, AnOutsideCounterIsACounterSetByUs) {
  Registry registry;
  registry.outside_counter("cpu_seconds", "CPU.")->set(1.5);
  const auto families = registry.snapshot();
  EXPECT_EQ(families[0].kind, Kind::kCounter);
  EXPECT_EQ(families[0].members[0].counter, nullptr);
  EXPECT_EQ(families[0].members[0].gauge->value(), 1.5);
}

TEST(RegistryDeathTest, OneNameHasOneKind) {
  Registry registry;
  (void)registry.counter("c", "C.");
  EXPECT_DEATH((void)registry.gauge("c", "C."), "invariant broken");
  EXPECT_DEATH((void)registry.outside_counter("c", "C."), "invariant broken");
}

TEST(Registry, IsReadWhileThreadsAddMembersAndCounts) {
  Registry registry;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop.load()) {
      for (const auto& family : registry.snapshot()) {
        for (const auto& member : family.members) (void)member.counter->value();
      }
    }
  });
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&registry, i] {
      for (int n = 0; n < 50; ++n) {
        const auto counter = registry.counter("c", "C.", {{"n", std::to_string(n)}});
        counter->add();
        if (i == 0) registry.remove({{"n", std::to_string(n)}});
      }
    });
  }
  for (auto& writer : writers) writer.join();
  stop.store(true);
  reader.join();
}

}  // namespace
}  // namespace protean::metrics
