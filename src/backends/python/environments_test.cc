// SPDX-License-Identifier: Apache-2.0
#include "backends/python/environments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace protean::python {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

PythonOptions two_environments() {
  PythonOptions options;
  options.all.workers = 2;
  options.all.memory_bytes_max = std::uint64_t{1} << 30;
  PythonEnvironment open = options.all;
  open.name = "open";
  open.interpreter = "/opt/open/bin/python3";
  open.network = true;
  options.environments = {open};
  return options;
}

TEST(ChooseEnvironment, TakesTheNamedOneElseTheFlags) {
  const auto options = two_environments();
  const auto flags = choose_environment(options, {});
  ASSERT_TRUE(flags);
  EXPECT_EQ(describe(*flags), "the default environment");
  EXPECT_FALSE(flags->network);
  const auto open = choose_environment(options, {"open"});
  ASSERT_TRUE(open);
  EXPECT_EQ(describe(*open), "environment 'open'");
  EXPECT_EQ(open->interpreter, "/opt/open/bin/python3");
  EXPECT_TRUE(open->network);
}

TEST(ChooseEnvironment, NamesThoseThatThereAre) {
  auto options = two_environments();
  const auto unknown = choose_environment(options, {"torch"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(unknown.error().message, "[python] environment = \"torch\" is not defined; known are 'open'");
  options.environments.clear();
  EXPECT_THAT(choose_environment(options, {"torch"}).error().message,
              HasSubstr("there are none: define it as [python_environments.torch]"));
}

TEST(ChooseEnvironment, LowersLimitsAndRaisesNone) {
  const auto options = two_environments();
  PythonConfig config{"open", 1, 3, std::uint64_t{128} << 20, seconds(5), seconds(10)};
  const auto lower = choose_environment(options, config);
  ASSERT_TRUE(lower) << lower.error().message;
  EXPECT_EQ(lower->workers, 1U);
  EXPECT_EQ(lower->cpu_cores_max, 3U) << "the environment has no limit of its own";
  EXPECT_EQ(lower->memory_bytes_max, std::uint64_t{128} << 20);
  EXPECT_EQ(lower->run_time_max, seconds(5));
  EXPECT_EQ(lower->load_time_max, seconds(10));
  const std::pair<PythonConfig, const char*> higher[] = {
      {{{}, 3, 0, 0, {}, {}}, "workers"},
      {{{}, 0, 0, (std::uint64_t{1} << 30) + 1, {}, {}}, "memory_max"},
      {{{}, 0, 0, 0, seconds(31), {}}, "run_timeout"},
      {{{}, 0, 0, 0, {}, seconds(121)}, "load_timeout"},
  };
  for (const auto& [wanted, key] : higher) {
    const auto refused = choose_environment(options, wanted);
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_EQ(refused.error().message, std::string("[python] ") + key +
                                           " is above what the default environment allows: protean.toml may only "
                                           "lower it");
  }
}

TEST(ChooseEnvironment, LeavesTheLimitsOfASharedProcessAlone) {
  PythonOptions options;
  options.all.memory_bytes_max = std::uint64_t{1} << 30;
  options.all.shared = true;
  EXPECT_TRUE(choose_environment(options, {{}, 1, 0, 0, seconds(5), seconds(10)})) << "times are of the version";
  const std::pair<PythonConfig, const char*> of_the_process[] = {
      {{{}, 2, 0, 0, {}, {}}, "workers"},
      {{{}, 0, 1, 0, {}, {}}, "cpu_cores_max"},
      {{{}, 0, 0, std::uint64_t{128} << 20, {}, {}}, "memory_max"},
  };
  for (const auto& [wanted, key] : of_the_process) {
    const auto refused = choose_environment(options, wanted);
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_EQ(refused.error().message, std::string("[python] ") + key +
                                           " is of the process, and models share that of the default environment: "
                                           "leave it out, or choose another environment");
  }
}

TEST(ChooseEnvironment, KeepsMemoryWithinReason) {
  PythonOptions options;
  const auto chosen = choose_environment(options, {});
  ASSERT_TRUE(chosen);
  EXPECT_NE(chosen->memory_bytes_max, 0U) << "half of the machine's";
  EXPECT_THAT(choose_environment(options, {{}, 0, 0, 1 << 20, {}, {}}).error().message,
              HasSubstr("1048576 bytes of memory, expected at least 67108864"));
}

TEST(CheckEnvironment, RefusesWhatCannotBeMeant) {
  PythonEnvironment environment;
  environment.name = "x";
  EXPECT_TRUE(check_environment(environment));
  environment.workers = 65;
  EXPECT_THAT(check_environment(environment).error().message, HasSubstr("environment 'x': 65 for each model"));
  environment.workers = 1;
  environment.shared = true;
  environment.workers = 2;
  EXPECT_THAT(check_environment(environment).error().message, HasSubstr("2, expected workers = 1 where shared = true"));
  environment.workers = 1;
  EXPECT_TRUE(check_environment(environment));
  environment.variables = {"=x"};
  EXPECT_THAT(check_environment(environment).error().message, HasSubstr("expected NAME=VALUE"));
}

}  // namespace
}  // namespace protean::python
