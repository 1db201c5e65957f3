// SPDX-License-Identifier: Apache-2.0
// RapidJSON itself is the reference: what it accepts, what it says, and where it stood.
#include "protocols/tensorflow_serving/json_syntax.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidjson/encodedstream.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <random>

namespace protean::tfserving {
namespace {

struct Nothing : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Nothing> {
  bool Default() { return true; }
};

/// Empty: well-formed.
std::string rapidjson_says(std::string_view text) {
  rapidjson::MemoryStream bytes(text.data(), text.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
  rapidjson::Reader reader;
  Nothing nothing;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNanAndInfFlag | rapidjson::kParseStopWhenDoneFlag;
  reader.Parse<kFlags>(stream, nothing);
  if (!reader.HasParseError()) return {};
  std::string words = rapidjson::GetParseError_En(reader.GetParseErrorCode());
  std::erase(words, '\'');  // 1.1.0, which the original uses, quotes no brackets
  return fmt::format("{} at {}", words, reader.GetErrorOffset());
}

std::string we_say(std::string_view text) {
  const Syntax syntax = check_syntax(text, 100'000);
  return syntax.error ? fmt::format("{} at {}", syntax.error->text, syntax.error->offset.value_or(0)) : std::string();
}

/// Control characters in texts have words of their own after 1.1.0.
bool worded_anew(const std::string& theirs) { return theirs.starts_with("Invalid encoding in string."); }

const std::vector<std::string>& pieces() {
  static const std::vector<std::string> kPieces = {"{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   ":",
                                                   "\"a\"",
                                                   "\"",
                                                   "\\",
                                                   "\\u00e9",
                                                   "\\ud800",
                                                   "\\udc00",
                                                   "\\n",
                                                   "1",
                                                   "0",
                                                   "-",
                                                   "-0",
                                                   "1.5",
                                                   ".",
                                                   "e",
                                                   "E+2",
                                                   "e-400",
                                                   "1e308",
                                                   "1e309",
                                                   "12345678901234567890",
                                                   "0.1",
                                                   "true",
                                                   "false",
                                                   "null",
                                                   "nul",
                                                   "NaN",
                                                   "Inf",
                                                   "Infinity",
                                                   "Infi",
                                                   "N",
                                                   "I",
                                                   " ",
                                                   "\n",
                                                   "\t",
                                                   "x",
                                                   "\xff",
                                                   "\xc3\xa9",
                                                   "+",
                                                   "\x01",
                                                   "{\"a\":1}",
                                                   "[1,2]",
                                                   "\xEF\xBB\xBF",
                                                   "/",
                                                   "\\q",
                                                   "\\u12",
                                                   "00",
                                                   "-1.0e5",
                                                   "1.",
                                                   "1e"};
  return kPieces;
}

TEST(JsonSyntax, SaysWhatRapidJsonSays) {
  std::mt19937 random(7);
  for (int i = 0; i < 300'000; ++i) {
    std::string text = random() % 3 == 0 ? "" : random() % 2 == 0 ? "{\"a\":" : "[";
    for (std::size_t n = random() % 9; n > 0; --n) text += pieces()[random() % pieces().size()];
    if (text.empty()) continue;
    const std::string theirs = rapidjson_says(text);
    if (worded_anew(theirs)) continue;
    ASSERT_EQ(we_say(text), theirs) << text;
  }
}

TEST(JsonSyntax, SaysWhatRapidJsonSaysOfFaultsInLongerTexts) {
  const std::string good =
      R"({"instances": [{"a": [1.5, -2e3, 0], "b": "x\u00e9\n", "c": null}, {"d": {"e": [true, false]}}]})";
  std::mt19937 random(8);
  ASSERT_EQ(we_say(good), "");
  for (int i = 0; i < 100'000; ++i) {
    std::string text = good;
    for (int n = 0; n < 2; ++n) {
      const std::size_t at = random() % text.size();
      const std::string& piece = pieces()[random() % pieces().size()];
      random() % 2 == 0 ? text.replace(at, random() % 3, piece) : text.erase(at, 1 + random() % 3);
    }
    const std::string theirs = rapidjson_says(text);
    if (worded_anew(theirs)) continue;
    ASSERT_EQ(we_say(text), theirs) << text;
  }
}

TEST(JsonSyntax, BoundsTheDepth) {
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(check_syntax(deep, 64).error->text, "More than 64 lists and objects inside each other.");
}

}  // namespace
}  // namespace protean::tfserving
