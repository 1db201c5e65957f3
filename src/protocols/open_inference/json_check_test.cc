// SPDX-License-Identifier: Apache-2.0
// Where the strict walk stops, for every way to break JSON.
#include "protocols/open_inference/json_check.h"

#include <gtest/gtest.h>

#include <array>

namespace protean {
namespace {

std::optional<std::size_t> fault_at(std::string_view text, std::size_t depth_max = 64) {
  const auto fault = check_json(text, {depth_max, false});
  if (!fault) return std::nullopt;
  return fault->offset;
}

TEST(CheckJson, AcceptsEveryKindOfValue) {
  constexpr std::array<std::string_view, 12> kValid = {"{}",
                                                       " [ ] ",
                                                       "null",
                                                       "-0.5e+10",
                                                       "0",
                                                       "\"\\u00e9\\ud83d\\ude00\\n\"",
                                                       "[1,2,[3,{\"a\":true}]]",
                                                       "{\"a\":{},\"b\":[],\"a\":1}",
                                                       "\"\xC3\xA9\"",
                                                       "1E5",
                                                       "[[[]]]",
                                                       "false"};
  for (const auto text : kValid) EXPECT_EQ(fault_at(text), std::nullopt) << text;
}

struct Broken {
  std::string_view text;
  std::size_t offset;
};

TEST(CheckJson, NamesTheFirstBrokenByte) {
  constexpr std::array<Broken, 24> kBroken = {{
      {"", 0},         {"{", 1},        {"[1,]", 3},    {"{\"a\":1,}", 7}, {"[1 2]", 3},       {"{\"a\" 1}", 5},
      {"01", 1},       {"1.", 0},       {"-", 0},       {"+1", 0},         {"tru", 0},         {"truex", 4},
      {"\"a", 2},      {"\"\x01\"", 1}, {"\"\\x\"", 1}, {"\"\\u12\"", 1},  {"\"\\ud800\"", 1}, {"\"\\udc00\"", 1},
      {"\"\xFF\"", 1}, {"[1}", 2},      {"{} {}", 3},   {"NaN", 0},        {"{1:2}", 1},       {"1e", 0},
  }};
  for (const auto& [text, offset] : kBroken) EXPECT_EQ(fault_at(text), offset) << text;
}

TEST(CheckJson, BoundsTheNesting) {
  EXPECT_EQ(fault_at("[[[]]]", 3), std::nullopt);
  EXPECT_EQ(fault_at("[[[[]]]]", 3), 3U);
  EXPECT_EQ(fault_at(std::string(1000000, '['), 64), 64U);
}

TEST(CheckJson, TakesNonFiniteNumbersOnlyWhenAllowed) {
  EXPECT_TRUE(check_json("[NaN]", {64, false}));
  EXPECT_FALSE(check_json("[NaN,Infinity,-Infinity]", {64, true}));
  EXPECT_TRUE(check_json("[NaNa]", {64, true}));
}

TEST(IsJsonNumber, FollowsTheGrammar) {
  for (const auto text : {"0", "-0", "1.5", "1e-7", "123456789012345678901234567890"})
    EXPECT_TRUE(is_json_number(text));
  for (const auto text : {"", "-", "00", ".5", "5.", "1e", "1 ", "0x1", "NaN"}) EXPECT_FALSE(is_json_number(text));
}

}  // namespace
}  // namespace protean
