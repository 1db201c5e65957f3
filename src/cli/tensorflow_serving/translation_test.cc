// SPDX-License-Identifier: Apache-2.0
// What TensorFlow Serving's flags and files become. Expected: the rules of its documentation and of its text format.
#include "cli/tensorflow_serving/translation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "proto/tensorflow_serving_config.pb.h"
#include "protocols/tensorflow_serving/config_text.h"
#include "serving/temporary_folder.h"

namespace protean {
namespace {

using ::testing::HasSubstr;
using Flags = std::vector<std::string>;

class ModelServerTranslation : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    folder_.write(name, text);
    return (folder_.path() / name).string();
  }
  static Result<Translation> translate(const Flags& args, const Environment& environment = {}) {
    TRY(auto flags, parse_model_server_flags(args));
    return translate_model_server(std::move(flags), environment);
  }
  static std::string error_of(const Flags& args) {
    const auto translation = translate(args);
    return translation ? "no error" : translation.error().message;
  }
  static Fate fate_of(const Translation& translation, std::string_view field) {
    for (const auto& finding : translation.findings) {
      if (finding.field == field) return finding.fate;
    }
    ADD_FAILURE() << "no finding about " << field;
    return Fate::kUnsupported;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ModelServerTranslation, OneModelByFlags) {
  const auto translation = translate({"--model_name=m", "--model_base_path=/models/m", "--rest_api_port=8501"});
  ASSERT_TRUE(translation) << translation.error().message;
  const ServeOptions& options = translation->options;
  ASSERT_EQ(options.served.size(), 1U);
  EXPECT_EQ(options.served[0].name, "m");
  EXPECT_EQ(options.served[0].path, "/models/m");
  EXPECT_EQ(options.served[0].versions->choice, VersionPolicy::Choice::kLatest);
  EXPECT_EQ(options.listen,
            (std::vector<ListenAddress>{{"0.0.0.0", 8500, "tfserving"}, {"0.0.0.0", 8501, "tfserving"}}));
  EXPECT_EQ(options.poll_interval, std::chrono::seconds(1));
  EXPECT_EQ(translation->entry_defaults.batch->mode, BatchConfig::Mode::kOff);
  EXPECT_EQ(translation->entry_defaults.retries->attempts_max, 6U);
  EXPECT_EQ(translation->entry_defaults.retries->wait_first, std::chrono::minutes(1));
  EXPECT_EQ(translation->entry_defaults.tensorflow->tags, (std::vector<std::string>{"serve"}));
}

TEST_F(ModelServerTranslation, TheVariablesOfTheImageSayWhatToServe) {
  const auto translation = translate({}, {{"MODEL_NAME", "resnet"}});
  ASSERT_TRUE(translation) << translation.error().message;
  EXPECT_EQ(translation->options.served[0].name, "resnet");
  EXPECT_EQ(translation->options.served[0].path, "/models/resnet");
  EXPECT_EQ(translation->options.listen.size(), 2U);
  EXPECT_EQ(translate({}, {{"MODEL_BASE_PATH", "/srv"}})->options.served[0].path, "/srv/model");
  EXPECT_EQ(translate({"--model_base_path=/x"}, {{"MODEL_NAME", "resnet"}})->options.served[0].name, "default");
}

TEST_F(ModelServerTranslation, FlagsAreReadAsTheOriginalReadsThem) {
  const auto flags = parse_model_server_flags(
      Flags{"--enable_batching", "--flush_filesystem_caches=false", "--port=1", "--nonsense=2", "stray"});
  ASSERT_TRUE(flags);
  EXPECT_TRUE(flags->enable_batching);
  EXPECT_FALSE(flags->flush_filesystem_caches);
  EXPECT_EQ(flags->port, 1);
  EXPECT_EQ(flags->unknown, (Flags{"--nonsense=2", "stray"}));
  for (const char* bad :
       {"--port", "--port=", "--port=1x", "--port=9999999999", "--enable_batching=yes", "--portx=1=2"}) {
    const auto read = parse_model_server_flags(Flags{bad});
    EXPECT_TRUE(!read || !read->unknown.empty()) << bad;
  }
  EXPECT_EQ(parse_model_server_flags(Flags{"--port=1x"}).error().message,
            "--port=1x: expected --port=VALUE with a whole number of 32 bits");
  EXPECT_EQ(model_server_flag_table().size(), 49U);  // 48 of the original and --help
}

TEST_F(ModelServerTranslation, ModelConfigFilesNameModelsWithVersionsAndLabels) {
  const auto config = file("models.config", R"(
model_config_list {
  config {  # a comment
    name: 'a'
    base_path: "/m/a"
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 3 versions: 5 } }
    version_labels { key: "stable" value: 3 }
    version_labels { key: 'canary', value: 5 }
  }
  config: { name: "b", base_path: "file:///m/b", model_platform: "tensorflow", model_version_policy: { all: {} } }
  config { name: "c" base_path: "/m/c" model_platform: "tensorflow" model_version_policy { latest { num_versions: 2 } }
           logging_config { sampling_config { sampling_rate: 0.1 } } }
})");
  const auto translation = translate({"--model_config_file=" + config});
  ASSERT_TRUE(translation) << translation.error().message;
  const auto& served = translation->options.served;
  ASSERT_EQ(served.size(), 3U);
  EXPECT_EQ(served[0].versions->listed, (std::vector<std::uint64_t>{3, 5}));
  EXPECT_EQ(served[0].aliases->size(), 2U);
  EXPECT_EQ(served[1].path, "/m/b");
  EXPECT_EQ(served[1].versions->choice, VersionPolicy::Choice::kAll);
  EXPECT_EQ(served[2].versions->latest, 2U);
  EXPECT_EQ(fate_of(*translation, "model_config_list.config[2].logging_config"), Fate::kUnsupported);
  EXPECT_EQ(fate_of(*translation, "model_config_list.config[0].base_path"), Fate::kMapped);
}

TEST_F(ModelServerTranslation, MistakesInModelConfigFilesAreToldInTheOriginalsWords) {
  const auto error = [&](const std::string& list) {
    return error_of({"--model_config_file=" + file("c", "model_config_list {" + list + "}")});
  };
  const std::string a = R"(config { name: "a" base_path: "/a" model_platform: "tensorflow" })";
  EXPECT_THAT(error(a + a), HasSubstr("Illegal to list model a multiple times in config list"));
  EXPECT_THAT(error(R"(config { name: "a" base_path: "rel" model_platform: "tensorflow" })"),
              HasSubstr("Expected model a to have an absolute path or URI; got base_path()=rel"));
  EXPECT_THAT(error(R"(config { name: "a" base_path: "/a" model_platform: "pytorch" })"),
              HasSubstr("Model a requests unsupported platform pytorch"));
  EXPECT_THAT(error(R"(config { name: "a" base_path: "s3://bucket/a" model_platform: "tensorflow" })"),
              HasSubstr("expected a path of this machine"));
  EXPECT_THAT(error("config {\n nme: \"a\" }"), HasSubstr("c:2:5: "));
  EXPECT_THAT(error_of({"--model_config_file=/nowhere/x"}), HasSubstr("/nowhere/x: there is no such file"));
}

TEST_F(ModelServerTranslation, BatchingParametersBecomeBatchSettings) {
  const auto given = file("batching.txt", R"(
max_batch_size { value: 128 } batch_timeout_micros { value: 2500 } max_enqueued_batches { value: 1000000 }
num_batch_threads { value: 8 } allowed_batch_sizes: 32 allowed_batch_sizes: 128 pad_variable_length_inputs: true)");
  const auto translation =
      translate({"--model_base_path=/m", "--enable_batching", "--batching_parameters_file=" + given});
  ASSERT_TRUE(translation) << translation.error().message;
  const BatchConfig& batch = *translation->entry_defaults.batch;
  EXPECT_EQ(batch.mode, BatchConfig::Mode::kOn);
  EXPECT_EQ(batch.rows_max, 128U);
  EXPECT_EQ(batch.delay, std::chrono::microseconds(2500));
  EXPECT_EQ(batch.rows_preferred, (std::vector<std::uint64_t>{32, 128}));
  EXPECT_TRUE(batch.pad_rows && batch.pad_dims && !batch.split);
  EXPECT_EQ(fate_of(*translation, "num_batch_threads"), Fate::kApproximated);
  EXPECT_THAT(error_of({"--model_base_path=/m", "--batching_parameters_file=" + given}),
              HasSubstr("--batching_parameters_file supplied without --enable_batching"));
  const auto wrong = file("wrong.txt", "max_batch_size { value: 64 } allowed_batch_sizes: 32");
  EXPECT_THAT(error_of({"--model_base_path=/m", "--enable_batching", "--batching_parameters_file=" + wrong}),
              HasSubstr("allowed_batch_sizes end with 32, expected 64"));
}

TEST_F(ModelServerTranslation, BatchingOfAModelIsThatOfItsNewestVersion) {
  folder_.write("m/1/batching_params.pbtxt", "max_batch_size { value: 10 }");
  folder_.write("m/0012/batching_params.pbtxt", "max_batch_size { value: 12 }");
  std::vector<Finding> findings;
  const auto batch = read_model_batching(folder_.path() / "m", findings);
  ASSERT_TRUE(batch && *batch);
  EXPECT_EQ((*batch)->rows_max, 12U);
  folder_.write("n/1/model", "");
  EXPECT_FALSE(*read_model_batching(folder_.path() / "n", findings));
}

TEST_F(ModelServerTranslation, TlsAndMonitoringComeFromTheirFiles) {
  const auto ssl = file("ssl.txt", "server_key: 'KEY' server_cert: 'CERT' custom_ca: 'CA' client_verify: true");
  const auto monitoring = file("monitoring.txt", "prometheus_config { enable: true }");
  const auto translation =
      translate({"--model_base_path=/m", "--ssl_config_file=" + ssl, "--monitoring_config_file=" + monitoring});
  ASSERT_TRUE(translation) << translation.error().message;
  EXPECT_EQ(translation->tls->key, "KEY");
  EXPECT_EQ(translation->tls->client_ca, "CA");
  EXPECT_EQ(translation->options.tfserving.metrics_path, "/monitoring/prometheus/metrics");
  for (const auto& finding : translation->findings) EXPECT_NE(finding.value, "'KEY'");
  const auto open = file("open.txt", "server_key: 'KEY' server_cert: 'CERT' client_verify: true");
  EXPECT_THAT(error_of({"--model_base_path=/m", "--ssl_config_file=" + open}),
              HasSubstr("client_verify without custom_ca"));
  EXPECT_THAT(error_of({"--model_base_path=/m", "--use_alts_credentials"}), HasSubstr("there is no ALTS"));
}

TEST_F(ModelServerTranslation, PlatformFilesStandInPlaceOfTheFlagsAboutSessions) {
  const auto platforms = file("platforms.txt", R"(
platform_configs { key: "tensorflow" value { source_adapter_config {
  [type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] {
    legacy_config { batching_parameters { max_batch_size { value: 5 } } saved_model_tags: "serve" saved_model_tags: "gpu"
                    enable_model_warmup: true session_target: "grpc://x" } } } } })");
  const auto translation = translate({"--model_base_path=/m", "--platform_config_file=" + platforms});
  ASSERT_TRUE(translation) << translation.error().message;
  EXPECT_EQ(translation->entry_defaults.batch->rows_max, 5U);
  EXPECT_EQ(translation->entry_defaults.tensorflow->tags, (std::vector<std::string>{"serve", "gpu"}));
  EXPECT_EQ(fate_of(*translation, "legacy_config.session_target"), Fate::kUnsupported);
}

TEST_F(ModelServerTranslation, EveryFlagHasAFate) {
  Flags args;
  ModelServerFlags defaults;
  for (const auto& flag : model_server_flag_table()) {
    args.push_back("--" + std::string(flag.name) + "=" + format_model_server_flag(flag, defaults));
  }
  const auto flags = parse_model_server_flags(args);
  ASSERT_TRUE(flags) << flags.error().message;
  for (const auto& finding : flag_findings(*flags)) EXPECT_NE(finding.remark, "no counterpart here") << finding.field;
}

TEST(TextMessages, NestingIsBounded) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "model_config_list { config { logging_config { ";
  tensorflow::serving::ModelServerConfig config;
  EXPECT_FALSE(tfserving::parse_config_text(text, "deep", config));
  EXPECT_FALSE(tfserving::parse_config_text("model_config_list {", "open", config));
  EXPECT_TRUE(tfserving::parse_config_text("# nothing\n", "empty", config));
}

}  // namespace
}  // namespace protean
