// SPDX-License-Identifier: Apache-2.0
// Bytes must come out as they went in, in whatever portions the socket takes them.
#include "transport/output_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

namespace protean {
namespace {

constexpr std::size_t kLarge = 10000;

/// Takes `count` bytes at most from the front, as a socket would.
std::string take(OutputQueue& queue, std::size_t count) {
  std::array<iovec, 4> vectors;
  std::string taken;
  const std::size_t used = queue.gather(vectors);
  for (std::size_t i = 0; i < used; ++i)
    taken.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  taken.resize(std::min(taken.size(), count));
  queue.consume(taken.size(), TimePoint{});
  return taken;
}

std::string drain(OutputQueue& queue, std::size_t portion) {
  std::string all;
  while (!queue.empty()) all += take(queue, portion);
  return all;
}

TEST(OutputQueue, KeepsTheOrderOfSmallAndLargePieces) {
  for (const std::size_t portion : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, std::size_t{1} << 20}) {
    OutputQueue queue;
    std::string expected;
    for (int i = 0; i < 10; ++i) {
      const std::string small = "head" + std::to_string(i);
      const std::string large(kLarge + static_cast<std::size_t>(i), static_cast<char>('a' + i));
      queue.append_copy(small);
      queue.append(Slice::of(large));
      queue.append(Slice::of_static("tail"));
      expected += small + large + "tail";
    }
    EXPECT_EQ(queue.size(), expected.size());
    EXPECT_EQ(drain(queue, portion), expected) << portion;
  }
}

TEST(OutputQueue, HoldsOwnersUntilWhatIsBeforeThemIsSent) {
  OutputQueue queue;
  const auto owner = std::make_shared<int>(1);
  queue.hold(owner);
  EXPECT_EQ(owner.use_count(), 1) << "nothing to wait for";
  queue.append_copy("abc");
  queue.hold(owner);
  queue.append_copy("d");
  EXPECT_EQ(take(queue, 2), "ab");
  EXPECT_EQ(owner.use_count(), 2);
  EXPECT_EQ(take(queue, 1), "c");
  EXPECT_EQ(owner.use_count(), 1);
}

TEST(OutputQueue, TakesMoreWhileItIsHalfSent) {
  OutputQueue queue;
  queue.append_copy("abcdef");
  EXPECT_EQ(take(queue, 4), "abcd");
  queue.append_copy("gh");
  queue.append(Slice::of(std::string(kLarge, 'x')));
  queue.append_copy("z");
  EXPECT_EQ(drain(queue, 5000), "efgh" + std::string(kLarge, 'x') + "z");
}

TEST(OutputQueue, SendsSmallPiecesAsOneVector) {
  OutputQueue queue;
  queue.append_copy("head");
  queue.append(Slice::of("body"));
  std::array<iovec, 4> vectors;
  EXPECT_EQ(queue.gather(vectors), 1U);
}

TEST(OutputQueue, SendsLargePiecesFromWhereTheyLie) {
  OutputQueue queue;
  const Slice large = Slice::of(std::string(kLarge, 'x'));
  queue.append(large);
  std::array<iovec, 4> vectors;
  ASSERT_EQ(queue.gather(vectors), 1U);
  EXPECT_EQ(vectors[0].iov_base, static_cast<const void*>(large.data()));
}

TEST(OutputQueue, LetsGoOfWhatHasBeenSent) {
  OutputQueue queue;
  auto owner = std::make_shared<const std::string>(kLarge, 'x');
  queue.append({owner, std::as_bytes(std::span(*owner)), 0});
  queue.append_copy("more");
  EXPECT_EQ(owner.use_count(), 2);
  take(queue, kLarge);
  EXPECT_EQ(owner.use_count(), 1);
  EXPECT_EQ(queue.size(), 4U);
}

TEST(OutputQueue, IgnoresEmptyPieces) {
  OutputQueue queue;
  queue.append(Slice{});
  queue.append_copy("");
  std::array<iovec, 4> vectors;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.gather(vectors), 0U);
}

TEST(OutputQueue, ObservesWhenEverythingBeforeTheMarkHasLeft) {
  using std::chrono::nanoseconds;
  const auto histogram = std::make_shared<metrics::Histogram>(metrics::latency_bounds_ns(), 1e-9);
  OutputQueue queue;
  const TimePoint start{nanoseconds(1000)};
  queue.append_copy("abc");
  queue.observe_sent(histogram, start);
  queue.append_copy("def");
  queue.observe_sent(histogram, start);
  EXPECT_TRUE(queue.observing());
  queue.consume(2, start + nanoseconds(1));
  EXPECT_EQ(histogram->sum(), 0U);
  queue.consume(2, start + nanoseconds(10));
  EXPECT_EQ(histogram->sum(), 10U);
  queue.consume(2, start + nanoseconds(100));
  EXPECT_EQ(histogram->sum(), 110U);
  EXPECT_FALSE(queue.observing());
}

}  // namespace
}  // namespace protean
