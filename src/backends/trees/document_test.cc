// SPDX-License-Identifier: Apache-2.0
#include "backends/trees/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace protean {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const Result<Document>& parsed) { return parsed ? "" : parsed.error().message; }

TEST(Json, ReadsEveryKindOfValue) {
  const auto parsed =
      parse_json(R"( {"a": [1, -2.5e1, true], "b": ["x", {}], "c": null, "d": "\u00e9\ud83d\ude00\n"} )");
  ASSERT_TRUE(parsed);
  EXPECT_THAT(*(*parsed)["a"].numbers(), ElementsAre(1, -25, 1));
  EXPECT_EQ((*parsed)["b"].items()->size(), 2U);
  EXPECT_TRUE((*parsed)["c"].is_null());
  EXPECT_EQ(*(*parsed)["d"].text(), "\u00e9\U0001F600\n");
  EXPECT_TRUE((*parsed)["none"]["at"]["all"].is_null());
}

TEST(Json, ReadsWhatXgboostWritesForNumbersThatAreNone) {
  const auto parsed = parse_json("[NaN, Infinity, -Infinity, 1E-45]");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(std::isnan((*parsed->numbers())[0]));
  EXPECT_TRUE(std::isinf((*parsed->numbers())[1]));
  EXPECT_LT((*parsed->numbers())[2], 0);
}

TEST(Json, SaysWhereItIsMalformed) {
  EXPECT_EQ(refusal(parse_json("[1,]")), "malformed JSON at byte 3: expected a value");
  EXPECT_EQ(refusal(parse_json("{\"a\" 1}")), "malformed JSON at byte 5: expected :");
  for (const auto* text : {"", "[", "\"a", "\"\\", "\"\\u12", "{\"a\":", "tru", "1 2", "\"\\ud800\"", "[1 2]", "-"}) {
    EXPECT_THAT(refusal(parse_json(text)), HasSubstr("malformed JSON")) << text;
  }
}

TEST(Json, BoundsNesting) {
  EXPECT_THAT(refusal(parse_json(std::string(10000, '['))), HasSubstr("nested deeper than 256"));
  std::string objects;
  for (int i = 0; i < 10000; ++i) objects += "{\"a\":";
  EXPECT_THAT(refusal(parse_json(objects)), HasSubstr("nested deeper than 256"));
}

TEST(Ubjson, ReadsTypedArraysAndObjects) {
  const std::string bytes = std::string("{L\0\0\0\0\0\0\0\1a[$l#L\0\0\0\0\0\0\0\2\0\0\0\1\xff\xff\xff\xff", 32) +
                            std::string("U\1b[U\5T]i\1cSU\2xyi\1dd\x3f\x80\0\0}", 25);
  const auto parsed = parse_ubjson(bytes);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(*(*parsed)["a"].numbers(), ElementsAre(1, -1));
  EXPECT_THAT(*(*parsed)["b"].numbers(), ElementsAre(5, 1));
  EXPECT_EQ(*(*parsed)["c"].text(), "xy");
  EXPECT_EQ(*(*parsed)["d"].number(), 1);
}

TEST(Ubjson, BelievesNoSizeBeforeTheBytesAreThere) {
  const std::string huge("[$l#L\x7f\xff\xff\xff\xff\xff\xff\xff", 13);
  EXPECT_THAT(refusal(parse_ubjson(huge)), HasSubstr("a length out of range"));
  EXPECT_THAT(refusal(parse_ubjson(std::string("[$l#L\0\0\0\1\0\0\0\0", 13))), HasSubstr("longer than the file"));
  EXPECT_THAT(refusal(parse_ubjson(std::string("SL\0\0\0\0\1\0\0\0", 10))), HasSubstr("0 left"));
  EXPECT_THAT(refusal(parse_ubjson(std::string("[$T#L\0\0\0\0\1\0\0\0", 13))), HasSubstr("a typed array of this type"));
  EXPECT_THAT(refusal(parse_ubjson(std::string("[#L\0\0\0\0\1\0\0\0", 11))), HasSubstr("it ends too early"));
  EXPECT_THAT(refusal(parse_ubjson(std::string("SL\xff\xff\xff\xff\xff\xff\xff\xff", 10))), HasSubstr("out of range"));
}

TEST(Ubjson, BoundsNesting) {
  EXPECT_THAT(refusal(parse_ubjson(std::string(10000, '['))), HasSubstr("nested deeper than 256"));
}

TEST(Document, SaysWhatIsMissing) {
  const auto parsed = parse_json(R"({"n": "12", "big": 1e10, "s": 3, "list": ["a", 1]})");
  EXPECT_EQ(*get_count(*parsed, "n", 12, "here"), 12U);
  EXPECT_EQ(get_count(*parsed, "big", 12, "here").error().message, "here: 'big' is 10000000000, expected 0 to 12");
  EXPECT_EQ(get_text(*parsed, "x", "here").error().message, "here: 'x' is missing, expected a text");
  EXPECT_EQ(get_numbers(*parsed, "s", "here").error().message,
            "here: 's' is something else, expected an array of numbers");
  EXPECT_THAT(get_texts(*parsed, "list", "here").error().message, HasSubstr("an array of texts"));
}

}  // namespace
}  // namespace protean
