// SPDX-License-Identifier: Apache-2.0
// Lines as they appear on standard error.
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <regex>
#include <thread>
#include <vector>

namespace protean::log {
namespace {

using testing::HasSubstr;

class Log : public testing::Test {
 protected:
  ~Log() override { configure(Level::kInfo, Format::kJson); }

  template <typename F>
  std::string written(F&& write_lines) {
    testing::internal::CaptureStderr();
    write_lines();
    flush_and_stop();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(Log, WritesOneJsonObjectALineWithEveryKindOfField) {
  const std::string line = written([] {
    warning("model \"loaded\"", {{"model", "ir\nis"},
                                 {"count", 3},
                                 {"big", std::int64_t{-9'000'000'000}},
                                 {"ratio", 0.5},
                                 {"nan", std::numeric_limits<double>::quiet_NaN()},
                                 {"ready", true}});
  });
  EXPECT_TRUE(
      std::regex_search(line, std::regex(R"(^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"warning",)")))
      << line;
  EXPECT_THAT(line, HasSubstr(R"("event":"model \"loaded\"","model":"ir\nis","count":3,"big":-9000000000,"ratio":0.5,)"
                              R"("nan":null,"ready":true})"
                              "\n"));
}

TEST_F(Log, WritesTextForPeopleWithoutControlCharacters) {
  configure(Level::kInfo, Format::kText);
  const std::string line = written([] { info("loaded", {{"model", "a\x1b[2J\nb"}, {"ms", 12}}); });
  EXPECT_TRUE(std::regex_match(line, std::regex(R"(\S+Z info    loaded  model=a\?\[2J\?b  ms=12\n)"))) << line;
}

TEST_F(Log, KeepsQuietBelowItsLevel) {
  configure(Level::kWarning, Format::kJson);
  EXPECT_FALSE(enabled(Level::kInfo));
  EXPECT_TRUE(enabled(Level::kError));
  const std::string lines = written([] {
    debug("one");
    info("two");
    error("three");
  });
  EXPECT_THAT(lines, HasSubstr("three"));
  EXPECT_EQ(lines.find("two"), std::string::npos);
  configure(Level::kOff, Format::kJson);
  EXPECT_FALSE(enabled(Level::kError));
}

TEST_F(Log, TakesFieldsDecidedAtRunTime) {
  std::vector<Field> fields;
  fields.emplace_back("a", 1);
  EXPECT_THAT(written([&] { write(Level::kInfo, "event", std::span<const Field>(fields)); }),
              HasSubstr(R"("event":"event","a":1})"));
}

TEST_F(Log, KeepsLinesOfManyThreadsWhole) {
  const std::string lines = written([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([i] {
        for (int n = 0; n < 100; ++n) info("tick", {{"thread", i}, {"n", n}});
      });
    }
    for (auto& thread : threads) thread.join();
  });
  std::istringstream in(lines);
  int count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    EXPECT_TRUE(line.starts_with("{\"time\":") && line.ends_with('}')) << line;
  }
  EXPECT_EQ(count, 400);
}

TEST_F(Log, CanBeUsedAgainAfterStopping) {
  EXPECT_THAT(written([] { info("first"); }), HasSubstr("first"));
  EXPECT_THAT(written([] { info("second"); }), HasSubstr("second"));
  flush_and_stop();
  flush_and_stop();
}

}  // namespace
}  // namespace protean::log
