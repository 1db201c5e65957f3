// SPDX-License-Identifier: Apache-2.0
// Reuse, its bound, and sizes at the edges.
#include "backends/onnxruntime/block_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>

namespace protean {
namespace {

TEST(BlockPool, GivesAlignedBlocksOfEverySizeWithPadding) {
  BlockPool pool;
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, kPooledBytesMin - 1, kPooledBytesMin, kPooledBytesMin + 1,
                           kPooledBytesMin * 5 / 4, kPooledBytesMin * 7 / 4 + 1, kPooledBytesMin * 2 - 1}) {
    void* block = pool.allocate(size);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U);
    std::memset(block, 1, size + 64);
    pool.release(block);
  }
}

TEST(BlockPool, KeepsLargeBlocksForTheNextRun) {
  BlockPool pool;
  void* first = pool.allocate(1'000'000);
  pool.release(first);
  EXPECT_EQ(pool.kept_bytes(), 1'048'576U);  // four steps up to 2^20: 655,360, 786,432, 917,504, 1,048,576
  EXPECT_EQ(pool.allocate(1'000'001), first) << "the same step";
  EXPECT_EQ(pool.kept_bytes(), 0U);
  pool.release(first);
  pool.trim();
  EXPECT_EQ(pool.kept_bytes(), 0U);
}

TEST(BlockPool, KeepsNoSmallAndNoReservedBlocks) {
  BlockPool pool;
  pool.release(pool.allocate(1000));
  pool.release(pool.reserve(1'000'000));
  pool.release(nullptr);
  EXPECT_EQ(pool.kept_bytes(), 0U);
}

TEST(BlockPool, KeepsNoMoreThanItIsTold) {
  BlockPool pool;
  pool.keep_at_most(std::size_t{3} << 20);
  void* blocks[4];
  for (auto*& block : blocks) block = pool.allocate(std::size_t{1} << 20);
  for (auto* block : blocks) pool.release(block);
  EXPECT_EQ(pool.kept_bytes(), std::size_t{3} << 20);
  pool.keep_at_most(0);
  pool.release(pool.allocate(std::size_t{1} << 21));
  EXPECT_EQ(pool.kept_bytes(), std::size_t{3} << 20);
}

TEST(BlockPool, RefusesWhatCannotBe) {
  BlockPool pool;
  EXPECT_EQ(pool.allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(pool.reserve(SIZE_MAX - 100), nullptr);
}

TEST(BlockPool, ServesManyThreads) {
  BlockPool pool;
  std::thread threads[4];
  for (auto& thread : threads) {
    thread = std::thread([&] {
      for (int i = 0; i < 100; ++i) {
        auto* block = static_cast<unsigned char*>(pool.allocate(kPooledBytesMin));
        block[0] = static_cast<unsigned char>(i);
        block[kPooledBytesMin - 1] = static_cast<unsigned char>(i);
        EXPECT_EQ(block[0], block[kPooledBytesMin - 1]);
        pool.release(block);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(pool.kept_bytes(), 4 * kPooledBytesMin);
}

}  // namespace
}  // namespace protean
