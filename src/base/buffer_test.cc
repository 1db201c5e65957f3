// SPDX-License-Identifier: Apache-2.0
// Alignment, padding, growth and the life of shared bytes.
#include "base/buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <new>

namespace protean {
namespace {

TEST(Buffer, IsAlignedAndHasReadableBytesBehindIt) {
  for (const std::size_t size : {1, 63, 64, 65, 1000, 100'000}) {
    Buffer buffer(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % kBufferAlignment, 0);
    EXPECT_EQ(buffer.size(), size);
    std::byte sum{};
    for (std::size_t i = 0; i < kBufferPadding; ++i) sum |= buffer.data()[buffer.capacity() + i];
    EXPECT_EQ(sum, std::byte{});
  }
}

TEST(Buffer, KeepsItsBytesWhileItGrows) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = std::to_string(i);
    buffer.append(piece);
    expected += piece;
  }
  EXPECT_EQ(buffer.text(), expected);
  buffer.resize(3);
  EXPECT_EQ(buffer.text(), "012");
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
}

TEST(Buffer, AppendingNothingNeedsNoMemory) {
  Buffer buffer;
  buffer.append(nullptr, 0);
  buffer.append(std::string_view());
  EXPECT_EQ(buffer.data(), nullptr);
}

TEST(Buffer, MovesLeaveTheOtherEmpty) {
  Buffer first;
  first.append("abc");
  Buffer second = std::move(first);
  EXPECT_EQ(second.text(), "abc");
  EXPECT_EQ(first.size(), 0);      // NOLINT(bugprone-use-after-move): empty afterwards, as promised
  EXPECT_EQ(first.capacity(), 0);  // NOLINT(bugprone-use-after-move)
  Buffer& same = second;
  second = std::move(same);
  EXPECT_EQ(second.text(), "abc");
  first = std::move(second);
  EXPECT_EQ(first.text(), "abc");
}

TEST(Buffer, ImpossibleSizesThrowInsteadOfWrappingAround) {
  Buffer buffer;
  buffer.append("abc");
  constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
  EXPECT_THROW(buffer.resize(kMax), std::bad_alloc);
  EXPECT_THROW(buffer.reserve(kMax - 10), std::bad_alloc);
  EXPECT_THROW(buffer.append("x", kMax), std::bad_alloc);
  EXPECT_EQ(buffer.text(), "abc");
}

TEST(Slice, OutlivesTheBufferItCameFrom) {
  Slice part;
  {
    Buffer buffer;
    buffer.append("hello world");
    const std::byte* data = buffer.data();
    const Slice whole = std::move(buffer).share();
    EXPECT_EQ(whole.data(), data);
    EXPECT_GE(whole.padding, kBufferPadding);
    part = whole.part(6, 5);
    EXPECT_EQ(whole.part(11, 0).size(), 0);
  }
  EXPECT_EQ(part.text(), "world");
}

TEST(Slice, PaddingOfAPartIncludesWhatFollowsIt) {
  Buffer buffer;
  buffer.append("hello world");
  const Slice whole = std::move(buffer).share();
  EXPECT_EQ(whole.part(0, 5).padding, whole.padding + 6);
  EXPECT_EQ(whole.part(6, 5).padding, whole.padding);
}

TEST(Slice, OfABufferThatNeverHeldAnythingPromisesNoPadding) {
  const Slice slice = Buffer().share();
  EXPECT_TRUE(slice.empty());
  EXPECT_EQ(slice.data(), nullptr);
  EXPECT_EQ(slice.padding, 0);
}

TEST(Slice, OfTextKeepsShortAndLongTexts) {
  const Slice small = Slice::of("abc");
  const Slice large = Slice::of(std::string(1000, 'x'));
  const Slice copy = small;
  EXPECT_EQ(copy.data(), small.data());
  EXPECT_EQ(small.text(), "abc");
  EXPECT_EQ(large.text(), std::string(1000, 'x'));
  EXPECT_EQ(Slice::of_static("literal").text(), "literal");
}

TEST(SliceDeathTest, APartBeyondTheEndIsABrokenInvariant) {
  const Slice slice = Slice::of("abc");
  EXPECT_DEATH((void)slice.part(2, 2), "invariant broken");
  EXPECT_DEATH((void)slice.part(4, 0), "invariant broken");
  EXPECT_DEATH((void)slice.part(1, std::numeric_limits<std::size_t>::max()), "invariant broken");
}

}  // namespace
}  // namespace protean
