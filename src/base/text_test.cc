// SPDX-License-Identifier: Apache-2.0
// Text helpers at their edges; UTF-8 cases are those of RFC 3629 and the Unicode Standard, table 3-7.
#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace protean {
namespace {

using testing::ElementsAre;

TEST(EqualsIgnoreCase, FoldsAsciiOnly) {
  EXPECT_TRUE(equals_ignore_case("Content-Type", "cONTENT-tYPE"));
  EXPECT_FALSE(equals_ignore_case("a", "ab"));
  EXPECT_FALSE(equals_ignore_case("@", "`"));                // 0x40 and 0x60: differ by the case bit, no letters
  EXPECT_FALSE(equals_ignore_case("\xC3\x89", "\xC3\xA9"));  // E and e with acute accent
}

TEST(Trim, TakesSpacesAndTabsOnly) {
  EXPECT_EQ(trim(" \t a b\t "), "a b");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim("\n"), "\n");
}

TEST(Split, LeavesOutEmptyPieces) {
  EXPECT_THAT(split("a, b ,,c ", ','), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split("", ','), ElementsAre());
  EXPECT_THAT(split(" , ", ','), ElementsAre());
  EXPECT_THAT(split("x", ','), ElementsAre("x"));
}

TEST(ParseUint64, TakesDigitsOnly) {
  EXPECT_EQ(parse_uint64("0"), 0);
  EXPECT_EQ(parse_uint64("18446744073709551615"), 18446744073709551615U);
  EXPECT_EQ(parse_uint64("007"), 7);
  for (const char* bad : {"", "18446744073709551616", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3"}) {
    EXPECT_FALSE(parse_uint64(bad)) << bad;
  }
}

TEST(NearestName, FindsLikelyTypingErrors) {
  const std::vector<std::string> names = {"queue-max", "io-threads", "iris", "id"};
  EXPECT_EQ(nearest_name("queue-mx", names), "queue-max");
  EXPECT_EQ(nearest_name("QUEUE-MAX", names), "queue-max");
  EXPECT_EQ(nearest_name("irs", names), "iris");
  EXPECT_EQ(nearest_name("ie", names), "id");
  EXPECT_EQ(nearest_name("something-else", names), std::nullopt);
  EXPECT_EQ(nearest_name("x", names), std::nullopt);
  EXPECT_EQ(nearest_name("", names), std::nullopt);
  EXPECT_EQ(nearest_name("iris", {}), std::nullopt);
}

TEST(NearestName, SparesHugeNames) {
  // Without the bound on lengths this is 4 * 10^11 steps and never ends.
  const std::vector<std::string> names(100, std::string(100, 'a'));
  EXPECT_EQ(nearest_name(std::string(40'000'000, 'a'), names), std::nullopt);
}

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(AppendJsonString, EscapesWhatJsonMust) {
  EXPECT_EQ(json("a\"b\\c\n\r\t\x01\x1f/\x7f"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f/\x7f\"");
  EXPECT_EQ(json(std::string_view("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(json("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
}

TEST(AppendJsonString, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(json("a\xFF"
                 "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(json("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(json("\xC3"), "\"\xEF\xBF\xBD\"");
}

TEST(Printable, HidesControlCharacters) {
  EXPECT_EQ(printable("a\x1b[31m\n\x7f\tb"), "a?[31m???b");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "?2J");  // U+009B, which terminals take for ESC [
  EXPECT_EQ(printable("caf\xC3\xA9"), "caf\xC3\xA9");
}

TEST(Printable, KeepsTheRestOfTextThatIsNotUtf8) {
  EXPECT_EQ(printable("ab\xFF"
                      "cd\xC3"),
            "ab?cd?");
  // A bad byte early in a long text must not cost what follows it.
  EXPECT_EQ(printable("ab\xFF" + std::string(200, 'x'), 10), "ab?xxxxxxx...");
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
  EXPECT_EQ(printable("ab\xC3\xA9z", 3), "ab...");
  EXPECT_EQ(printable("abc", 0), "...");
  EXPECT_EQ(printable("", 0), "");
}

TEST(IsUtf8, FollowsTheTableOfWellFormedSequences) {
  for (const char* good : {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << json(good);
  }
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xF0\x90\x80"}) {
    EXPECT_FALSE(is_utf8(bad)) << json(bad);
  }
}

}  // namespace
}  // namespace protean
