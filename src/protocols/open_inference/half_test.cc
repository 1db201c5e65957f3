// SPDX-License-Identifier: Apache-2.0
// Rounding and range of the two 16-bit formats.
#include "protocols/open_inference/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace protean {
namespace {

// Expected values: IEEE 754-2019 table 3.5 for binary16, worked out by hand.
TEST(Half, KnownValuesHaveTheirBits) {
  EXPECT_EQ(to_half(1.0)->bits, 0x3C00);
  EXPECT_EQ(to_half(-2.0)->bits, 0xC000);
  EXPECT_EQ(to_half(65504.0)->bits, 0x7BFF);
  EXPECT_EQ(to_half(std::ldexp(1.0, -24))->bits, 0x0001);  // the smallest subnormal
  EXPECT_EQ(to_half(std::ldexp(1.0, -14))->bits, 0x0400);  // the smallest normal
  EXPECT_EQ(to_half(0.1)->bits, 0x2E66);
  EXPECT_EQ(to_half(-0.0)->bits, 0x8000);
  EXPECT_EQ(to_half(std::numeric_limits<double>::infinity())->bits, 0x7C00);
  EXPECT_TRUE(std::isnan(to_float(*to_half(std::nan("")))));
}

TEST(Half, TiesGoToTheEvenNeighbour) {
  EXPECT_EQ(to_half(1 + std::ldexp(1.0, -11))->bits, 0x3C00);
  EXPECT_EQ(to_half(1 + 3 * std::ldexp(1.0, -11))->bits, 0x3C02);
  EXPECT_EQ(to_half(std::ldexp(1.0, -25))->bits, 0x0000);
  EXPECT_EQ(to_half(3 * std::ldexp(1.0, -25))->bits, 0x0002);
  EXPECT_EQ(to_half(std::ldexp(2047.0, -11) + std::ldexp(1.0, -12))->bits, 0x3C00);  // carries into the exponent
}

TEST(Half, FiniteValuesBeyondTheRangeAreRefused) {
  EXPECT_EQ(to_half(65519.9)->bits, 0x7BFF);
  EXPECT_FALSE(to_half(65520.0));
  EXPECT_FALSE(to_half(-1e300));
  EXPECT_FALSE(to_bfloat16(3.4e38));
  EXPECT_FALSE(to_bfloat16(1e39));
}

TEST(Half, EveryFiniteValueSurvivesTheRoundTrip) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const Half half{static_cast<std::uint16_t>(bits)};
    const Bfloat16 brain{static_cast<std::uint16_t>(bits)};
    if (!std::isnan(to_float(half))) {
      EXPECT_EQ(to_half(to_float(half))->bits, bits);
    }
    if (!std::isnan(to_float(brain))) {
      EXPECT_EQ(to_bfloat16(to_float(brain))->bits, bits);
    }
  }
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(to_bfloat16(1.0)->bits, 0x3F80);
  EXPECT_EQ(to_bfloat16(3.14159265)->bits, 0x4049);
  EXPECT_EQ(to_bfloat16(1 + std::ldexp(1.0, -8))->bits, 0x3F80);
  EXPECT_EQ(to_bfloat16(1 + 3 * std::ldexp(1.0, -8))->bits, 0x3F82);
}

}  // namespace
}  // namespace protean
