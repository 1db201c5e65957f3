// SPDX-License-Identifier: Apache-2.0
#include "cli/python_environments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/config_file.h"
#include "cli/options.h"

namespace protean {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<std::vector<PythonEnvironment>> read(const std::string& text, const PythonEnvironment& defaults = {}) {
  auto file = read_config_text(text, "/etc/protean/protean.toml");
  if (!file) return tl::unexpected(file.error());
  return read_python_environments(*file->python_environments, file->name, defaults);
}

std::string error_of(const std::string& text) {
  const auto environments = read(text);
  return environments ? "no error" : environments.error().message;
}

TEST(PythonEnvironments, HaveEveryKey) {
  const auto environments = read(
      "queue_max = 7\n"
      "[python_environments.torch]\n"
      "python = \"venvs/torch\"\n"
      "workers = 3\n"
      "run_timeout = \"10s\"\n"
      "load_timeout = \"5m\"\n"
      "memory_max = \"4GiB\"\n"
      "cpu_cores_max = 2\n"
      "network = true\n"
      "readable = [\"/data\", \"words\"]\n"
      "scratch = \"/var/tmp/torch\"\n"
      "variables = [\"HF_HOME=/data\"]\n"
      "[python_environments.plain]\n");
  ASSERT_TRUE(environments) << environments.error().message;
  ASSERT_EQ(environments->size(), 2U);
  const auto& torch = environments->at(1);
  EXPECT_EQ(torch.name, "torch");
  EXPECT_EQ(torch.interpreter, "/etc/protean/venvs/torch");
  EXPECT_EQ(torch.workers, 3U);
  EXPECT_EQ(torch.run_time_max, std::chrono::seconds(10));
  EXPECT_EQ(torch.load_time_max, std::chrono::minutes(5));
  EXPECT_EQ(torch.memory_bytes_max, std::uint64_t{4} << 30);
  EXPECT_EQ(torch.cpu_cores_max, 2U);
  EXPECT_TRUE(torch.network);
  EXPECT_THAT(torch.readable, ElementsAre("/data", "/etc/protean/words"));
  EXPECT_EQ(torch.scratch, "/var/tmp/torch");
  EXPECT_THAT(torch.variables, ElementsAre("HF_HOME=/data"));
}

TEST(PythonEnvironments, TakeLimitsFromFlagsButNothingThatOpensTheFence) {
  PythonEnvironment flags;
  flags.interpreter = "/opt/python3";
  flags.workers = 5;
  flags.memory_bytes_max = 123 << 20;
  flags.network = true;
  flags.readable = {"/data"};
  const auto environments = read("[python_environments.plain]\n", flags);
  ASSERT_TRUE(environments);
  EXPECT_EQ(environments->front().interpreter, "/opt/python3");
  EXPECT_EQ(environments->front().workers, 5U);
  EXPECT_EQ(environments->front().memory_bytes_max, 123U << 20);
  EXPECT_FALSE(environments->front().network);
  EXPECT_THAT(environments->front().readable, IsEmpty());
}

TEST(PythonEnvironments, ShareOneWorker) {
  PythonEnvironment flags;
  flags.workers = 5;
  const auto environments = read("[python_environments.pool]\nshared = true\n", flags);
  ASSERT_TRUE(environments) << environments.error().message;
  EXPECT_TRUE(environments->front().shared);
  EXPECT_EQ(environments->front().workers, 1U) << "what the flags say is of private ones";
  EXPECT_NE(format_python_environments(*environments).find("\nshared = true\n"), std::string::npos);
  EXPECT_EQ(error_of("[python_environments.pool]\nworkers = 2\nshared = true\n"),
            "/etc/protean/protean.toml:1: python_environments.pool: workers = 2, expected 1 where shared = true");
  EXPECT_EQ(error_of("[python_environments.pool]\nshared = 1\n"),
            "/etc/protean/protean.toml:2: python_environments.pool.shared: found a number, expected true or false "
            "without quotes");
}

TEST(PythonEnvironments, SayWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of("[python_environments.x]\nworker = 3\n"),
            "/etc/protean/protean.toml:2: python_environments.x: unknown key 'worker': did you mean 'workers'?");
  EXPECT_EQ(error_of("[python_environments.x]\nnetwork = \"yes\"\n"),
            "/etc/protean/protean.toml:2: python_environments.x.network: found \"yes\", expected true or false without "
            "quotes");
  EXPECT_THAT(error_of("[python_environments.x]\nmemory_max = \"1MiB\"\n"), HasSubstr("at least \"64MiB\""));
  EXPECT_THAT(error_of("[python_environments.x]\nrun_timeout = \"0s\"\n"), HasSubstr("expected a time in quotes"));
  EXPECT_THAT(error_of("[python_environments.x]\nvariables = [\"=x\"]\n"), HasSubstr("NAME=VALUE"));
  EXPECT_THAT(error_of("[python_environments.\"a b\"]\n"), HasSubstr("a name 'a b', expected letters"));
  EXPECT_THAT(error_of("python_environments = 3\n"), HasSubstr("expected at most 256 tables"));
  EXPECT_THAT(error_of("[python_environments]\nx = 3\n"), HasSubstr("python_environments.x: found"));
}

TEST(PythonEnvironments, ArePrintedSoThatTheyCanBeReadAgain) {
  const auto environments = read(
      "[python_environments.a]\npython = \"/p\"\nreadable = [\"/x y\"]\nscratch = \"/s\"\nmemory_max = \"64MiB\"\n"
      "[python_environments.b]\nnetwork = true\nvariables = [\"A=\\\"1\\\"\"]\n");
  ASSERT_TRUE(environments);
  const std::string printed = format_python_environments(*environments);
  const auto again = read(printed);
  ASSERT_TRUE(again) << again.error().message << printed;
  EXPECT_EQ(format_python_environments(*again), printed);
  EXPECT_THAT(printed, HasSubstr("[python_environments.a]\npython = \"/p\"\n"));
}

}  // namespace
}  // namespace protean
