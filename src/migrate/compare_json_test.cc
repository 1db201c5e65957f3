// SPDX-License-Identifier: Apache-2.0
#include "migrate/compare_json.h"

#include <gtest/gtest.h>

#include "migrate/json_value.h"

namespace protean::migrate {
namespace {

Comparison compared(std::string_view from, std::string_view to) {
  Comparison out;
  compare_json(out, Path{nullptr, "body", 0}, from, to, 1e-5);
  return out;
}

std::string first(const Comparison& comparison) {
  if (comparison.differences().empty()) return "";
  const Difference& d = comparison.differences().front();
  return std::string(difference_kind_name(d.kind)) + " " + d.path + " " + d.from + " | " + d.to;
}

TEST(CompareJson, EqualTextsAreEqual) {
  EXPECT_EQ(compared(R"({"predictions":[1.5,NaN]})", R"({"predictions":[1.5,NaN]})").verdict(), Verdict::kEqual);
}

TEST(CompareJson, OrderOfMembersDoesNotMatter) {
  EXPECT_EQ(compared(R"({"a":1,"b":[2]})", R"({"b":[2],"a":1})").verdict(), Verdict::kEqual);
}

TEST(CompareJson, NumbersWrittenDifferentlyAreFormattingOnly) {
  const auto numbers = compared("[1.0,100,1e2,-0,0.1]", "[1,1e2,100.0,-0.0,0.10]");
  EXPECT_EQ(numbers.verdict(), Verdict::kFormatting);
  EXPECT_EQ(numbers.count(DifferenceKind::kFormat), 5U);
  EXPECT_EQ(first(numbers), "formatting body[0] 1.0 | 1");
  EXPECT_EQ(compared("[1, 2]", "[1,2]").verdict(), Verdict::kFormatting);
  EXPECT_EQ(compared(R"(["é"])", R"(["\u00e9"])").verdict(), Verdict::kFormatting);
}

TEST(CompareJson, FloatsHaveATolerance) {
  const auto close = compared("[0.333333]", "[0.333334]");
  EXPECT_EQ(close.verdict(), Verdict::kWithinTolerance);
  EXPECT_NEAR(close.largest_deviation(), 1e-6, 1e-12);
  EXPECT_EQ(first(compared("[[2.5]]", "[[2.501]]")), "value body[0][0] 2.5 | 2.501");
}

TEST(CompareJson, IntegersAreExact) {
  EXPECT_EQ(compared("[100000000]", "[100000001]").verdict(), Verdict::kDifferent);
  EXPECT_EQ(compared("[9007199254740993]", "[9007199254740992]").verdict(), Verdict::kDifferent);
}

TEST(CompareJson, WordsAreNumbers) {
  EXPECT_EQ(compared("[-Infinity,Infinity]", "[-Inf,Inf]").verdict(), Verdict::kFormatting);
  EXPECT_EQ(first(compared("[NaN]", "[0.5]")), "value body[0] nan | 0.5");
  EXPECT_EQ(first(compared("[NaN]", "[null]")), "type body[0] NaN (number) | null (null)");
}

TEST(CompareJson, NamesWhatIsMissingExtraAndOfAnotherSize) {
  EXPECT_EQ(first(compared(R"({"a":1,"b":2})", R"({"a":1})")), "missing body.b 2 | ");
  EXPECT_EQ(first(compared(R"({"a":1})", R"({"a":1,"b":[2]})")), "extra body.b  | array of 1");
  EXPECT_EQ(first(compared("[1,2]", "[1]")), "shape body array of 2 | array of 1");
}

TEST(CompareJson, ErrorTextsAndVersionsAreKindsOfTheirOwn) {
  EXPECT_EQ(first(compared(R"({"error":"a"})", R"({"error":"b"})")), "text body.error a | b");
  EXPECT_EQ(first(compared(R"({"v":[{"version":"1"}]})", R"({"v":[{"version":"2"}]})")),
            "version body.v[0].version 1 | 2");
}

TEST(CompareJson, WhatIsNoJsonIsComparedAsBytes) {
  EXPECT_EQ(compared("<html>", "<html>").verdict(), Verdict::kEqual);
  EXPECT_EQ(compared("<html>", "{}").count(DifferenceKind::kUnreadable), 1U);
}

TEST(JsonValue, ReadsWhatTheFormatAllows) {
  const auto value = parse_json(" {\"a\\n\\ud83d\\ude00\": [true, false, null, -1.5e-3, \"\\\"\"]}\n");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->names[0], "a\n\xF0\x9F\x98\x80");
  ASSERT_NE(value->find("a\n\xF0\x9F\x98\x80"), nullptr);
  EXPECT_EQ(value->items[0].items.size(), 5U);
  EXPECT_EQ(json_number(value->items[0].items[3].token), -0.0015);
  EXPECT_EQ(decode_json_string(value->items[0].items[4].token), "\"");
}

TEST(JsonValue, RefusesTheRestWithAnOffset) {
  for (const std::string_view text : {"", "{", "[1,]", "{\"a\":1,}", "{a:1}", "[1 2]", "\"a", "\"\\x\"", "\"\\u12\"",
                                      "01", "1.", "1e", "+1", "nul", "[1]x", "\"\x01\"", "-", "Nan"}) {
    const auto value = parse_json(text);
    ASSERT_FALSE(value) << text;
    EXPECT_NE(value.error().message.find("JSON at offset"), std::string::npos) << text;
  }
}

TEST(JsonValue, RefusesDepthBeforeTheStackEnds) {
  EXPECT_TRUE(parse_json(std::string(200, '[') + std::string(200, ']')));
  EXPECT_FALSE(parse_json(std::string(1000000, '[')));
}

TEST(JsonValue, LoneSurrogatesAndNumbersOutOfRangeHaveAValue) {
  EXPECT_EQ(decode_json_string("\"\\ud83dx\""), "\xEF\xBF\xBDx");
  EXPECT_EQ(json_number("1e999"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(json_number("-1e999"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(json_number("1e-999"), 0);
}

}  // namespace
}  // namespace protean::migrate
