// SPDX-License-Identifier: Apache-2.0
// Memory that is written to shows.
#include "base/unused_memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace protean {
namespace {

TEST(UnusedMemory, ResidentBytesGrowWithWhatIsTouched) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  const auto before = private_resident_bytes();
  ASSERT_GT(before, 0U);
  const std::vector<char> touched(kBytes, 'x');
  EXPECT_GE(private_resident_bytes(), before + kBytes - kBytes / 16);
  give_back_unused_memory();
  EXPECT_EQ(touched.back(), 'x');
}

}  // namespace
}  // namespace protean
