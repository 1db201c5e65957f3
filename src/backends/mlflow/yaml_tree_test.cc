// SPDX-License-Identifier: Apache-2.0
#include "backends/mlflow/yaml_tree.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

std::string error_of(std::string_view text, const YamlLimits& limits = {}) {
  const auto tree = parse_yaml(text, limits);
  return tree ? "parsed" : tree.error().message;
}

TEST(ParseYaml, ReadsMapsListsAndScalars) {
  const auto tree = parse_yaml("a: 1\nb:\n- x\n- 'null'\nc: {d: ~}\n");
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->text_of("a"), "1");
  ASSERT_EQ(tree->find("b")->items.size(), 2U);
  EXPECT_TRUE(tree->find("b")->items[1].quoted);
  EXPECT_FALSE(tree->find("b")->items[1].is_null());
  EXPECT_TRUE(tree->find("c")->find("d")->is_null());
  EXPECT_EQ(tree->text_of("nobody"), "");
}

TEST(ParseYaml, ReadsJsonWithSurrogatePairs) {
  const auto tree = parse_json_as_yaml(R"([{"name": "\ud83d\ude00 \u00e9", "path": "a\\ud83d\/"}])");
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->items[0].text_of("name"), "\xF0\x9F\x98\x80 \xC3\xA9");
  EXPECT_EQ(tree->items[0].text_of("path"), "a\\ud83d/");
}

TEST(ParseYaml, CopiesWhatAnAliasStandsFor) {
  const auto tree = parse_yaml("a: &x [1, 2]\nb: *x\n");
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->find("b")->items[1].text, "2");
}

TEST(ParseYaml, RefusesAliasBombsEarly) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 8; ++k) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_NE(error_of(bomb).find("more than 100000 values"), std::string::npos) << error_of(bomb);
}

TEST(ParseYaml, RefusesAnAliasOfWhatItStandsIn) { EXPECT_EQ(error_of("a: &x [*x]\n"), "line 1: unknown alias '*x'"); }

TEST(ParseYaml, BoundsDepthAndSize) {
  EXPECT_EQ(error_of(std::string(10'000, '[')), "line 1: nested deeper than 32");
  EXPECT_EQ(error_of("[1, 2, 3, 4]", {32, 3}), "line 1: more than 3 values");
}

TEST(ParseYaml, ConstructsNoObjects) {
  EXPECT_EQ(error_of("a: !!python/object/apply:os.system ['id']\n"),
            "line 1: the tag 'tag:yaml.org,2002:python/object/apply:os.system': objects are not constructed");
  EXPECT_EQ(error_of("a: !!str 1\n"), "parsed");
}

TEST(ParseYaml, SaysWhereItBreaks) {
  EXPECT_EQ(error_of("a: 1\na: 2\n"), "line 2: the key 'a' appears twice");
  EXPECT_EQ(error_of("? [a]\n: 1\n"), "line 1: a key is a list or a map, expected a text");
  EXPECT_EQ(error_of("a: 1\n---\nb: 2\n"), "line 2: a second document, expected one");
  EXPECT_EQ(error_of(""), "line 1: no document");
  EXPECT_NE(error_of("a: [1\n").find("line "), std::string::npos);
  EXPECT_NE(error_of("a: \xFF\n"), "parsed");
}

}  // namespace
}  // namespace protean
