// SPDX-License-Identifier: Apache-2.0
#include "configuration/model_config_file.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <regex>

#include "configuration/model_config_keys.h"
#include "configuration/toml_file.h"

namespace protean {
namespace {

using namespace std::chrono_literals;
using std::filesystem::path;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ModelConfigFile : public ::testing::Test {
 protected:
  ModelConfigFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "protean-config-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directory(folder_ / "iris");
    std::ofstream(folder_ / "wine.onnx") << "model";
  }
  ~ModelConfigFile() override { std::filesystem::remove_all(folder_); }

  void put(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  [[nodiscard]] std::string get(const std::string& name) const {
    std::ifstream in(folder_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::size_t files_in_iris() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_ / "iris"), {}));
  }

  path folder_;
};

TEST_F(ModelConfigFile, ReadsColumnsAndKeepsThemWhenKeysAreSet) {
  constexpr std::string_view kColumns = R"(
[[columns]]
name = "kind"
type = "BYTES"
nullable = true
required = true
unknown = "missing"
categories = ["flat", "a \"quoted\" one"]

[[columns]]
name = "area"
)";
  const auto config = parse_model_config(kColumns, "m/protean.toml");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->columns.size(), 2U);
  EXPECT_EQ(config->columns[0].categories->at(1), "a \"quoted\" one");
  EXPECT_TRUE(*config->columns[0].unknown_is_missing);
  EXPECT_EQ(config->columns[1].type, std::nullopt);
  EXPECT_EQ(format_model_config(*config), kColumns);
  put("iris/protean.toml", std::string(kColumns));
  ModelConfig wanted;
  wanted.weight = 3;
  const std::string_view key = "weight";
  ASSERT_TRUE(set_model_config(folder_ / "iris", "iris", wanted, {&key, 1}));
  const auto written = read_model_config(folder_ / "iris", "iris");
  ASSERT_TRUE(written);
  EXPECT_EQ(written->columns, config->columns);
  EXPECT_EQ(written->weight, 3U);
}

std::string error_of(std::string_view text) {
  const auto config = parse_model_config(text, "m/protean.toml");
  return config ? "accepted" : config.error().message;
}

constexpr std::string_view kEverything = R"(instances = 2
intra_op_threads = 3
weight = 4
priority = 1
deadline = "250ms"
queue_max = 77

[versions]
choice = "listed"
listed = [3, 1]
availability_preserving = false
keep_previous = "1h"

[load]
attempts_max = 9
wait_first = "2s"
wait_max = "3m"

[warm_up]
generated_runs = 0
recorded = false
replayed_max = 5
time_max = "2s"

[batch]
mode = "on"
rows_max = 32
rows_preferred = [4, 8]
pad_rows = true
delay = "250us"
split = false
preserve_order = true
pad_dims = true
dim_buckets = [16, 128]

[residency]
on_demand = true
pinned = true
idle_unload = "10m"

[cache]
bytes_max = "64MiB"
)";

TEST(ModelConfigText, ReadsEveryKey) {
  const auto config = parse_model_config(kEverything, "protean.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->instances, 2U);
  EXPECT_EQ(config->intra_op_threads, 3U);
  EXPECT_EQ(config->weight, 4U);
  EXPECT_EQ(config->priority, 1U);
  EXPECT_EQ(config->deadline, 250ms);
  EXPECT_EQ(config->queue_max, 77U);
  EXPECT_EQ(config->versions.choice, VersionPolicy::Choice::kListed);
  EXPECT_THAT(config->versions.listed, ElementsAre(3, 1));
  EXPECT_FALSE(config->versions.availability_preserving);
  EXPECT_EQ(config->versions.keep_previous, 1h);
  EXPECT_EQ(config->retries.attempts_max, 9U);
  EXPECT_EQ(config->retries.wait_first, 2s);
  EXPECT_EQ(config->retries.wait_max, 3min);
  EXPECT_EQ(config->warm_up.generated_runs, 0U);
  EXPECT_FALSE(config->warm_up.recorded);
  EXPECT_EQ(config->warm_up.replayed_max, 5U);
  EXPECT_EQ(config->warm_up.time_max, 2s);
  EXPECT_EQ(config->batch.mode, BatchConfig::Mode::kOn);
  EXPECT_EQ(config->batch.rows_max, 32U);
  EXPECT_THAT(config->batch.rows_preferred, ElementsAre(4, 8));
  EXPECT_TRUE(config->batch.pad_rows);
  EXPECT_EQ(config->batch.delay, 250us);
  EXPECT_FALSE(config->batch.split);
  EXPECT_TRUE(config->batch.preserve_order);
  EXPECT_TRUE(config->batch.pad_dims);
  EXPECT_THAT(config->batch.dim_buckets, ElementsAre(16, 128));
  EXPECT_TRUE(config->residency.on_demand);
  EXPECT_TRUE(config->residency.pinned);
  EXPECT_EQ(config->residency.idle_unload, 10min);
  EXPECT_EQ(config->cache_bytes_max, 64U << 20);
}

TEST(ModelConfigText, WritesBackWhatItRead) {
  EXPECT_EQ(format_model_config(*parse_model_config(kEverything, "protean.toml")), kEverything);
  EXPECT_EQ(format_model_config({}), "");
  EXPECT_EQ(format_model_config(*parse_model_config("", "protean.toml")), "");
}

TEST(ModelConfigText, WritesOnlyWhatDiffersFromTheDefaults) {
  const auto config = parse_model_config("weight = 1\nbatch = {rows_max = 8, mode = \"auto\"}", "protean.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(format_model_config(*config), "[batch]\nrows_max = 8\n");
}

TEST(ModelConfigText, NamesTheNearestKeyWithItsLine) {
  EXPECT_EQ(error_of("\ninstance = 2"), "m/protean.toml:2: unknown key 'instance': did you mean 'instances'?");
  EXPECT_EQ(error_of("[batch]\n\nrow_max = 2"), "m/protean.toml:3: unknown key 'row_max': did you mean 'rows_max'?");
  EXPECT_EQ(error_of("rows_max = 2"), "m/protean.toml:1: unknown key 'rows_max': did you mean 'batch.rows_max'?");
  EXPECT_EQ(error_of("[warmup]\nrecorded = true"),
            "m/protean.toml:1: unknown table 'warmup': did you mean '[warm_up]'?");
  EXPECT_EQ(error_of("[batch]\nzzzzzzzzzzz = 1"), "m/protean.toml:2: unknown key 'zzzzzzzzzzz'");
}

TEST(ModelConfigText, SaysWhatWasFoundAndExpected) {
  EXPECT_EQ(error_of("instances = \"2\""),
            "m/protean.toml:1: instances: found \"2\", expected a whole number without quotes, from 0 to 1024");
  EXPECT_EQ(error_of("priority = 10"),
            "m/protean.toml:1: priority: found 10, expected a whole number without quotes, from 1 to 9");
  EXPECT_EQ(error_of("weight = -1"),
            "m/protean.toml:1: weight: found -1, expected a whole number without quotes, from 1 to 1000");
  EXPECT_EQ(
      error_of("deadline = 5"),
      "m/protean.toml:1: deadline: found 5, expected a time in quotes such as \"250us\", \"20ms\" or \"5s\", from "
      "0s to 24h");
  EXPECT_EQ(error_of("[batch]\nmode = \"sometimes\""),
            "m/protean.toml:2: batch.mode: found \"sometimes\", expected one of \"auto\", \"on\", \"off\"");
  EXPECT_EQ(
      error_of("[cache]\nbytes_max = \"64 MB\""),
      "m/protean.toml:2: cache.bytes_max: found \"64 MB\", expected a size in quotes such as \"64MiB\", or a number "
      "of bytes, from 0 to 1024TiB");
  EXPECT_EQ(error_of("[batch]\nsplit = \"yes\""),
            "m/protean.toml:2: batch.split: found \"yes\", expected true or false without quotes");
  EXPECT_THAT(error_of("[versions]\nlisted = [1, \"2\"]"), StartsWith("m/protean.toml:2: versions.listed: found an "));
  EXPECT_EQ(error_of("batch = 3"), "m/protean.toml:1: batch: found a number, expected a table [batch]");
  EXPECT_THAT(error_of("x = ["), StartsWith("m/protean.toml:1: "));
  EXPECT_THAT(error_of("[~a]"), HasSubstr("saw '~'"));
}

TEST(ModelConfigText, RefusesKeysThatContradictEachOther) {
  EXPECT_THAT(error_of("[versions]\nchoice = \"listed\""), HasSubstr(":2: versions.choice: "));
  EXPECT_THAT(error_of("[versions]\nlatest = 2"), HasSubstr("expected versions.choice = \"latest\""));
  EXPECT_THAT(error_of("[versions]\nlisted = [2]"), HasSubstr("expected versions.choice = \"listed\""));
  EXPECT_THAT(error_of("[load]\nwait_first = \"2m\""), HasSubstr(":2: load.wait_first: "));
  EXPECT_THAT(error_of("[batch]\nrows_preferred = [8, 4]"), EndsWith("found 4 after 8, expected ascending numbers"));
  EXPECT_THAT(error_of("[batch]\nrows_preferred = [128]"), EndsWith("found 128, expected at most batch.rows_max, 64"));
  EXPECT_THAT(error_of("[batch]\ndim_buckets = [8]"), EndsWith("expected batch.pad_dims = true with it"));
  EXPECT_THAT(error_of("[batch]\npad_dims = true\ndim_buckets = [8, 8]"), HasSubstr("found 8 after 8"));
}

TEST_F(ModelConfigFile, StandsInTheFolderOrBesideTheFile) {
  EXPECT_EQ(model_config_path(folder_ / "iris"), folder_ / "iris" / "protean.toml");
  EXPECT_EQ(model_config_path(folder_ / "wine.onnx"), folder_ / "wine.toml");
  put("iris/protean.toml", "weight = 3");
  put("wine.toml", "weight = 4");
  EXPECT_EQ(read_model_config(folder_ / "iris", "iris")->weight, 3U);
  EXPECT_EQ(read_model_config(folder_ / "wine.onnx", "wine")->weight, 4U);
}

TEST_F(ModelConfigFile, IsNotNeeded) {
  const auto config = read_model_config(folder_ / "iris", "iris");
  ASSERT_TRUE(config);
  EXPECT_EQ(format_model_config(*config), "");
}

TEST_F(ModelConfigFile, NamesTheModelInErrors) {
  put("iris/protean.toml", "weigt = 3");
  EXPECT_EQ(read_model_config(folder_ / "iris", "iris").error().message,
            (folder_ / "iris/protean.toml").string() + ":1: unknown key 'weigt': did you mean 'weight'? (model iris)");
}

TEST_F(ModelConfigFile, IsNoLinkNoFolderAndNotHuge) {
  put("elsewhere", "weight = 3");
  std::filesystem::create_symlink(folder_ / "elsewhere", folder_ / "iris/protean.toml");
  EXPECT_THAT(read_model_config(folder_ / "iris", "iris").error().message, HasSubstr("it is a symbolic link"));
  std::filesystem::remove(folder_ / "iris/protean.toml");
  std::filesystem::create_directory(folder_ / "iris/protean.toml");
  EXPECT_THAT(read_model_config(folder_ / "iris", "iris").error().message, HasSubstr("is not a regular file"));
  std::filesystem::remove(folder_ / "iris/protean.toml");
  put("iris/protean.toml", std::string(kTomlBytesMax + 1, '#'));
  EXPECT_EQ(read_model_config(folder_ / "iris", "iris").error().code, Code::kResourceExhausted);
  put("iris/protean.toml", std::string(kTomlBytesMax, '#'));
  EXPECT_TRUE(read_model_config(folder_ / "iris", "iris"));
}

TEST_F(ModelConfigFile, SetsChosenKeysAndKeepsTheOthers) {
  put("iris/protean.toml",
      "# mine\nweight = 1\ninstances = 4\n[batch]\nmode = \"off\"\n[cache]\nbytes_max = \"1MiB\"\n");
  ASSERT_EQ(::chmod((folder_ / "iris/protean.toml").c_str(), 0640), 0);
  ModelConfig wanted;
  wanted.batch.rows_max = 16;
  wanted.instances = 2;
  wanted.weight = 9;
  const std::vector<std::string_view> keys = {"batch.rows_max", "instances"};
  ASSERT_TRUE(set_model_config(folder_ / "iris", "iris", wanted, keys));
  EXPECT_EQ(get("iris/protean.toml"),
            "# Written by protean; comments of the file before it are gone.\n"
            "instances = 2\nweight = 1\n\n[batch]\nmode = \"off\"\nrows_max = 16\n\n[cache]\nbytes_max = \"1MiB\"\n");
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ / "iris/protean.toml").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0640U);
  EXPECT_EQ(files_in_iris(), 1U);
}

TEST_F(ModelConfigFile, SetsKeysWhereThereWasNoFile) {
  ModelConfig wanted;
  wanted.batch.delay = 250us;
  const std::vector<std::string_view> keys = {"batch.delay"};
  ASSERT_TRUE(set_model_config(folder_ / "wine.onnx", "wine", wanted, keys));
  EXPECT_EQ(read_model_config(folder_ / "wine.onnx", "wine")->batch.delay, 250us);
}

TEST_F(ModelConfigFile, LeavesTheFileWhenTheNewValuesAreWrong) {
  put("iris/protean.toml", "weight = 2\n");
  ModelConfig wanted;
  wanted.weight = 5000;
  const std::vector<std::string_view> keys = {"weight"};
  EXPECT_THAT(set_model_config(folder_ / "iris", "iris", wanted, keys).error().message, HasSubstr("found 5000"));
  const std::vector<std::string_view> unknown = {"wait"};
  EXPECT_EQ(set_model_config(folder_ / "iris", "iris", wanted, unknown).error().code, Code::kNotFound);
  put("iris/protean.toml", "weight = 2\nbroken");
  EXPECT_FALSE(set_model_config(folder_ / "iris", "iris", {}, keys));
  EXPECT_EQ(get("iris/protean.toml"), "weight = 2\nbroken");
}

TEST_F(ModelConfigFile, LeavesTheFileWhenTheDiskIsFull) {
  put("iris/protean.toml", "weight = 2\n");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  auto* const handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{8, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::vector<std::string_view> keys = {"weight"};
  const auto status = set_model_config(folder_ / "iris", "iris", {}, keys);
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(get("iris/protean.toml"), "weight = 2\n");
  EXPECT_EQ(files_in_iris(), 1U);
}

/// The page names every key with the default that the code has.
TEST(ModelConfigPage, TellsEveryKeyWithItsDefault) {
  std::ifstream in(std::string(PROTEAN_SOURCE_DIR) + "/docs/model_configuration.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  for (const auto& key : model_keys()) {
    const std::string row = "| `" + key.full_name() + "` | `" + format_model_key(key, {}) + "` |";
    EXPECT_THAT(page, HasSubstr(row));
  }
  const std::regex block("```toml\n([^`]*)```");
  std::size_t examples = 0;
  for (std::sregex_iterator match(page.begin(), page.end(), block), end; match != end; ++match, ++examples) {
    const auto config = parse_model_config((*match)[1].str(), "example");
    EXPECT_TRUE(config) << config.error().message;
  }
  EXPECT_GE(examples, 2U);
}

TEST(ParseModelConfig, SaysWhichColumnIsWrong) {
  EXPECT_EQ(error_of("columns = 3"),
            "m/protean.toml:1: columns: found a number, expected at most 4096 tables [[columns]]");
  EXPECT_EQ(error_of("[[columns]]\nname = \"a\"\ntype = \"FLOAT\""),
            "m/protean.toml:3: columns[0].type: found text, expected \"BOOL\", \"UINT8\" to \"UINT64\", \"INT8\" to "
            "\"INT64\", \"FP32\", \"FP64\" or \"BYTES\"");
  EXPECT_EQ(error_of("[[columns]]\nname = \"a\"\n[[columns]]\nname = \"a\""),
            "m/protean.toml:4: columns[1]: a column 'a' stands there already");
  EXPECT_EQ(error_of("[[columns]]\ntype = \"FP32\""), "m/protean.toml:2: columns[0]: missing 'name'");
  EXPECT_EQ(error_of("[[columns]]\nkind = \"FP32\""),
            "m/protean.toml:2: columns[0]: unknown key 'kind', expected name, type, nullable, required, categories or "
            "unknown");
}

}  // namespace
}  // namespace protean
