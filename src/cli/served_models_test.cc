// SPDX-License-Identifier: Apache-2.0
// Tables of models with a path of their own: read, printed, read again; every mistake with its line.
#include "cli/served_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace protean {
namespace {

using ::testing::HasSubstr;

Result<std::vector<ModelEntry>> read(std::string_view text) {
  TRY(const auto table, parse_toml(text, "/etc/protean/p.toml"));
  return read_served_models(table.at(0), "/etc/protean/p.toml");
}

TEST(ServedModels, AreReadWithWhatStandsAboveTheirOwnFiles) {
  const auto models = read(
      "[served.a]\npath = \"/m/a\"\naliases = { stable = 4 }\nversions = { choice = \"listed\", listed = [4, 5] }\n"
      "[served.\"b c\"]\npath = \"b.onnx\"\n");
  ASSERT_TRUE(models) << models.error().message;
  ASSERT_EQ(models->size(), 2U);
  const ModelEntry& a = (*models)[0];
  EXPECT_EQ(a.path, "/m/a");
  ASSERT_TRUE(a.versions);
  EXPECT_EQ(a.versions->listed, (std::vector<std::uint64_t>{4, 5}));
  EXPECT_FALSE(a.batch);
  EXPECT_EQ(a.aliases->at(0), (std::pair<std::string, std::uint64_t>("stable", 4)));
  EXPECT_EQ((*models)[1].name, "b c");
  EXPECT_EQ((*models)[1].path, "/etc/protean/b.onnx");
  EXPECT_FALSE((*models)[1].aliases);
}

TEST(ServedModels, WhatIsPrintedIsReadBack) {
  const auto models = read(
      "[served.a]\npath = \"/m/a\"\naliases = { stable = 4 }\nbatch = { rows_max = 7 }\n"
      "[served.\"b c\"]\npath = \"/b.onnx\"\n");
  ASSERT_TRUE(models);
  const auto again = read(format_served_models(*models));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *models);
}

TEST(ServedModels, MistakesAreToldWithTheirLine) {
  EXPECT_THAT(read("[served.a]\nversions = { latest = 1 }").error().message,
              HasSubstr("p.toml:1: [served.a]: no path"));
  EXPECT_THAT(read("[served.a]\npath = 3").error().message, HasSubstr("p.toml:2: path: found a number"));
  EXPECT_THAT(read("[served.a]\npath = \"x\"\naliases = { s = 0 }").error().message,
              HasSubstr("expected the number of a version, from 1"));
  EXPECT_THAT(read("[served.a]\npath = \"x\"\ninstances = 3").error().message,
              HasSubstr("p.toml:3: unknown key 'instances'"));
  EXPECT_THAT(read("[served.a]\npath = \"x\"\nbatch = { rows_maxx = 3 }").error().message, HasSubstr("rows_maxx"));
}

}  // namespace
}  // namespace protean
