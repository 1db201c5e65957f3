// SPDX-License-Identifier: Apache-2.0
// read_magnitude() is the reference for what a number is; the C library for what it is worth.
#include "protocols/tensorflow_serving/json_wide_numbers.h"

#if defined(__x86_64__)

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <string>

namespace protean::tfserving {
namespace {

/// Whether read_wide() takes the number that `text` starts with; it must find the same as read_magnitude() then.
PROTEAN_WIDE bool is_wide(const std::string& text) {
  const std::string padded = text + std::string(64, '\0');
  std::uint64_t others = find_others(padded.data());
  bool minus = false;
  Magnitude wide{}, expected{};
  const char* const end = read_wide(padded.data(), others, minus, wide);
  if (end == nullptr) return false;
  EXPECT_EQ(minus, text[0] == '-') << text;
  EXPECT_EQ(read_magnitude(padded.data() + (minus ? 1 : 0), expected), end) << text;
  EXPECT_EQ(wide.digits, expected.digits) << text;
  EXPECT_EQ(wide.exponent, expected.exponent) << text;
  EXPECT_EQ(wide.whole, expected.whole) << text;
  EXPECT_FALSE(expected.many) << text;
  EXPECT_EQ(others & 0xFFFF, find_others(end) & 0xFFFF) << text;
  return true;
}

class WideNumbers : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_wide_numbers()) GTEST_SKIP() << "this machine has no AVX2";
  }
};

TEST_F(WideNumbers, FindsBytesThatAreNoDigits) {
  std::string text(64, '0');
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t at = 0; at < 64; ++at) {
      text.assign(64, static_cast<char>('0' + at % 10));
      text[at] = static_cast<char>(byte);
      const bool digit = byte >= '0' && byte <= '9';
      ASSERT_EQ(find_others(text.data()), digit ? 0 : std::uint64_t{1} << at) << byte << " at " << at;
    }
  }
}

TEST_F(WideNumbers, TakesWhatProgramsWrite) {
  for (const char* const text : {"0",
                                 "-0",
                                 "7,",
                                 "255]",
                                 "-128 ",
                                 "123456789012345",
                                 "0.0,",
                                 "1.0]",
                                 "0.5 ",
                                 "-0.1234567,",
                                 "0.000012345678",
                                 "-103.53",
                                 "123.6800003",
                                 "12345678.1234567890",
                                 "0.12345678901234567,",
                                 "-0.123456789012345678,",
                                 "1.2345678901234567",
                                 "0.00012345678901234567]",
                                 "-12.345678901234567",
                                 "123.45678901234567",
                                 "123456789012345.67",
                                 "0.123456789012345",
                                 "1e5",
                                 "-1.5e-05,",
                                 "1.5E+300"}) {
    EXPECT_TRUE(is_wide(text)) << text;
  }
}

TEST_F(WideNumbers, LeavesTheRestToOthers) {
  for (const char* const text : {"",
                                 "-",
                                 "+1",
                                 "NaN",
                                 "-Infinity",
                                 ".5",
                                 "-.5",
                                 "1.",
                                 "1.,",
                                 "01",
                                 "00.5",
                                 "-01",
                                 "1e",
                                 "1.5e+",
                                 "1e301",
                                 "--1",
                                 "123456789012345678901234567890",
                                 "0.1234567890123456789012345678901234567890",
                                 "9999.12345678901234567",
                                 "0.000000000000012345678901234567"}) {
    EXPECT_FALSE(is_wide(text)) << text;
  }
}

TEST_F(WideNumbers, AgreesWithThePortableWayOnEveryLength) {
  std::mt19937_64 random(5);
  for (std::size_t whole = 1; whole < 20; ++whole) {
    for (std::size_t size = 0; size < 26; ++size) {
      for (int round = 0; round < 200; ++round) {
        std::string text = random() % 2 == 0 ? "-" : "";
        for (std::size_t i = 0; i < whole; ++i) text += static_cast<char>('0' + random() % (round % 3 == 0 ? 1 : 10));
        if (size > 0) text += '.';
        for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('0' + random() % (round % 5 == 0 ? 1 : 10));
        static_cast<void>(is_wide(text + ",] \n}"[random() % 5] + "0.25"));
      }
    }
  }
}

TEST_F(WideNumbers, AgreesWithThePortableWayOnTextsWithFaults) {
  std::mt19937_64 random(6);
  constexpr std::string_view kMarks = "0123456789.-eE+, ]";
  for (int i = 0; i < 300'000; ++i) {
    std::string text = fmt::format("{}", std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    if (i % 2 == 0) text = fmt::format("{:.{}f}", static_cast<double>(random() >> 11) * 0x1p-50, random() % 18);
    for (std::size_t n = random() % 3; n > 0; --n) text[random() % text.size()] = kMarks[random() % kMarks.size()];
    static_cast<void>(is_wide(text));
  }
}

TEST_F(WideNumbers, ReadsASecondNumberFromTheSameLook) {
  const std::string text = "0.12345678,-7.5]" + std::string(64, '\0');
  std::uint64_t others = find_others(text.data());
  bool minus = false;
  Magnitude found{};
  const char* at = read_wide(text.data(), others, minus, found);
  ASSERT_EQ(at, text.data() + 10);
  others >>= 1;
  at = read_wide(at + 1, others, minus, found);
  ASSERT_EQ(at, text.data() + 15);
  EXPECT_TRUE(minus);
  EXPECT_EQ(found.digits, 75U);
  EXPECT_EQ(found.exponent, -1);
}

}  // namespace
}  // namespace protean::tfserving

#endif
