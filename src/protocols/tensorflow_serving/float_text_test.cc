// SPDX-License-Identifier: Apache-2.0
// The rule by the C library is the reference, on many values of every kind.
#include "protocols/tensorflow_serving/float_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

namespace protean::tfserving {
namespace {

std::string with_point(std::string text) { return text.find_first_of(".e") == text.npos ? text + ".0" : text; }

std::string by_the_library(float value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.6g", static_cast<double>(value));
  if (std::strtof(text.data(), nullptr) != value) {
    std::snprintf(text.data(), text.size(), "%.9g", static_cast<double>(value));
  }
  return with_point(text.data());
}

std::string by_the_library(double value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.6g", value);
  if (std::strtod(text.data(), nullptr) != value) std::snprintf(text.data(), text.size(), "%.17g", value);
  return with_point(text.data());
}

std::string printed(float value) {
  std::string out;
  append_float(out, value);
  return out;
}

std::string printed(double value) {
  std::string out;
  append_double(out, value);
  return out;
}

constexpr int kRounds = 50'000;

TEST(FloatText, WritesWhatTheRuleSaysForEveryKindOfFloat) {
  std::mt19937_64 random(1);
  for (int i = 0; i < kRounds; ++i) {
    const std::uint64_t bits = random();
    for (const float value :
         {std::bit_cast<float>(static_cast<std::uint32_t>(bits)), std::ldexp(static_cast<float>(bits >> 40), -24),
          static_cast<float>(static_cast<std::int64_t>(bits % 2'000'001) - 1'000'000) / 1000,
          std::ldexp(1.0F, static_cast<int>(bits % 250) - 125), static_cast<float>(bits >> 30)}) {
      if (!std::isfinite(value)) continue;
      ASSERT_EQ(printed(value), by_the_library(value));
    }
  }
}

TEST(FloatText, WritesWhatTheRuleSaysForEveryKindOfDouble) {
  std::mt19937_64 random(2);
  for (int i = 0; i < kRounds; ++i) {
    const std::uint64_t bits = random();
    for (const double value :
         {std::bit_cast<double>(bits), std::ldexp(static_cast<double>(bits >> 11), -53),
          static_cast<double>(bits % 100'000) / 1000, static_cast<double>(static_cast<std::int64_t>(bits >> 20)) / 1e6,
          std::ldexp(1.0, static_cast<int>(bits % 2000) - 1000)}) {
      if (!std::isfinite(value)) continue;
      ASSERT_EQ(printed(value), by_the_library(value));
    }
  }
}

TEST(FloatText, WritesNeighboursOfShortDecimals) {
  for (int digits = 1; digits < 1'000'000; digits += 371) {
    for (int power = -12; power < 12; ++power) {
      const auto value = static_cast<float>(digits * std::pow(10.0, power));
      for (const float near : {value, std::nextafter(value, 0.0F), std::nextafter(value, 1e30F)}) {
        ASSERT_EQ(printed(near), by_the_library(near));
      }
    }
  }
}

/// Ten digits of which the last is a 5 and nothing follows: the ninth is rounded to even.
TEST(FloatText, RoundsHalfWayToTheEvenDigit) {
  EXPECT_EQ(printed(123456.03125F), "123456.031");
  EXPECT_EQ(printed(123456.0625F), "123456.062");
  EXPECT_EQ(printed(123456.1875F), "123456.188");
  for (int n = 1; n < 24; ++n) {
    for (std::uint32_t mantissa = 0x800001; mantissa < 0x1000000; mantissa += 1009) {
      const float value = std::ldexp(static_cast<float>(mantissa | 1), -n);
      ASSERT_EQ(printed(value), by_the_library(value));
      const float coarse = std::ldexp(static_cast<float>(mantissa >> 7), -n);
      ASSERT_EQ(printed(coarse), by_the_library(coarse));
    }
  }
}

TEST(FloatText, ChangesToExponentsWhereTheRuleSaysSo) {
  EXPECT_EQ(printed(0.0001F), "0.0001");
  EXPECT_EQ(printed(0.00012345678F), by_the_library(0.00012345678F));
  EXPECT_EQ(printed(0.00001F), "1e-05");
  EXPECT_EQ(printed(100000.0F), "100000.0");
  EXPECT_EQ(printed(1000000.0F), "1e+06");
  EXPECT_EQ(printed(1234567.0F), "1234567.0");
  EXPECT_EQ(printed(123456789.0F), "123456792.0");
  EXPECT_EQ(printed(-1.5F), "-1.5");
  EXPECT_EQ(printed(1e10F), "1e+10");
  EXPECT_EQ(printed(0.99999994F), "0.99999994");
}

TEST(FloatText, NamesWhatIsNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(printed(kInfinity), "Infinity");
  EXPECT_EQ(printed(-kInfinity), "-Infinity");
  EXPECT_EQ(printed(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(printed(-0.0F), "-0.0");
  EXPECT_EQ(printed(0.0), "0.0");
}

}  // namespace
}  // namespace protean::tfserving
