// SPDX-License-Identifier: Apache-2.0
// Precedence, every source's errors, and that what --print-config prints is a configuration file.
#include "cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "base/cpu_quota.h"
#include "cli/config_file.h"
#include "cli/option_table.h"
#include "configuration/toml_file.h"

namespace protean {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

Result<ServeOptions> parse(std::vector<std::string> args, const Environment& environment = {}) {
  return parse_serve_options(args, environment);
}

std::string error_of(std::vector<std::string> args, const Environment& environment = {}) {
  const auto options = parse(std::move(args), environment);
  return options ? "no error" : options.error().message;
}

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() {
    std::string name = testing::TempDir() + "options_XXXXXX";
    folder = mkdtemp(name.data());
    file = folder / "protean.toml";
  }
  ~ConfigFile() override { std::filesystem::remove_all(folder); }
  void put(const std::string& text) const { std::ofstream(file) << text; }
  [[nodiscard]] std::string error(const std::string& text) const {
    put(text);
    std::string message = error_of({"m", "--config", file.string()});
    const auto at = message.find(file.string());
    return at == std::string::npos ? message
                                   : message.erase(at, file.string().size() - file.filename().string().size());
  }

  std::filesystem::path folder;
  std::filesystem::path file;
};

TEST(ServeOptions, DefaultsAreSafeAndFollowTheMachine) {
  const auto options = parse({"./models"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->action, ServeAction::kServe);
  EXPECT_EQ(options->models, "./models");
  EXPECT_EQ(options->listen,
            (std::vector<ListenAddress>{{"127.0.0.1", 8080, "default"}, {"127.0.0.1", 8081, "admin"}}));
  EXPECT_FALSE(options->insecure);
  EXPECT_EQ(options->io_threads, usable_cores());
  EXPECT_EQ(options->run_threads, usable_cores());
  EXPECT_EQ(options->intra_op_threads, 0) << "chosen for each model";
  EXPECT_EQ(options->drain_timeout, milliseconds(30'000));
  EXPECT_EQ(options->limits.body_bytes_max, 67'108'864);
  EXPECT_LE(options->request_memory_max, usable_memory_bytes() / 4);
  EXPECT_EQ(options->access_log, AccessLogPolicy::kErrors);
}

TEST(ServeOptions, FlagsSetEveryKindOfValue) {
  const auto options =
      parse({"--listen", "127.0.0.1:0", "--listen=[::1]:9000=default", "--body-bytes-max", "1MiB", "--drain-timeout=2m",
             "--queue-max", "7", "--watch=false", "--model-control", "false", "--log-level", "debug",
             "--log-format=text", "--access-log", "all", "--insecure", "models"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->listen, (std::vector<ListenAddress>{{"127.0.0.1", 0, "default"}, {"::1", 9000, "default"}}));
  EXPECT_EQ(options->limits.body_bytes_max, 1'048'576);
  EXPECT_EQ(options->drain_timeout, milliseconds(120'000));
  EXPECT_EQ(options->queue_max, 7);
  EXPECT_FALSE(options->watch);
  EXPECT_FALSE(options->model_control);
  EXPECT_EQ(options->log_level, log::Level::kDebug);
  EXPECT_EQ(options->log_format, log::Format::kText);
  EXPECT_EQ(options->access_log, AccessLogPolicy::kAll);
  EXPECT_TRUE(options->insecure);
  EXPECT_EQ(options->models, "models");
}

TEST(ServeOptions, ABareBooleanFlagDoesNotTakeTheFolder) {
  const auto options = parse({"--insecure", "models", "--watch"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->models, "models");
  EXPECT_TRUE(options->watch);
}

TEST_F(ConfigFile, YieldsToTheEnvironmentWhichYieldsToFlags) {
  put("queue_max = 1\nio_threads = 1\nrun_threads = 1\n");
  const auto options = parse({"m", "--config", file.string(), "--run-threads", "3"},
                             {{"PROTEAN_IO_THREADS", "2"}, {"PROTEAN_RUN_THREADS", "2"}, {"HOME", "/root"}});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->queue_max, 1);
  EXPECT_EQ(options->io_threads, 2);
  EXPECT_EQ(options->run_threads, 3);
}

TEST_F(ConfigFile, IsNamedByTheEnvironmentAsWellAndPathsAreRelativeToIt) {
  put("models = 'models'\ntls_cert = \"/etc/cert.pem\"\ntls_key = \"key.pem\"\nlisten = ['127.0.0.1:1', '[::1]:2']\n");
  const auto options = parse({}, {{"PROTEAN_CONFIG", file.string()}});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->models, folder / "models");
  EXPECT_EQ(options->tls_cert, "/etc/cert.pem");
  EXPECT_EQ(options->tls_key, folder / "key.pem");
  EXPECT_EQ(options->listen.size(), 2);
}

TEST_F(ConfigFile, ErrorsSayFileAndLineAndTheNearestName) {
  EXPECT_EQ(error("\n\nqueue_mx = 1\n"), "protean.toml:3: unknown key 'queue_mx': did you mean 'queue_max'?");
  EXPECT_EQ(error("zzz = 1"), "protean.toml:1: unknown key 'zzz'");
  EXPECT_EQ(error("[limits]\nqueue_max = 1"), "protean.toml:1: unknown key 'limits'");
  EXPECT_EQ(error("# c\nqueue_max = 0"),
            "protean.toml:2: queue_max: found '0', expected a whole number from 1 to 1000000000");
  EXPECT_EQ(error("queue_max = '7'"), "protean.toml:1: queue_max: found text, expected a number without quotes");
  EXPECT_EQ(error("watch = 1"), "protean.toml:1: watch: found a number, expected true or false without quotes");
  EXPECT_EQ(error("drain_timeout = 30"),
            "protean.toml:1: drain_timeout: found a number, expected a time in quotes such as \"30s\"");
  EXPECT_EQ(error("log_level = 'loud'"),
            "protean.toml:1: log_level: found 'loud', expected one of debug, info, warning, error, off");
  EXPECT_EQ(error("listen = [1]"), "protean.toml:1: listen: found an array, expected text or an array of text");
  EXPECT_EQ(error("listen = []"), "protean.toml:1: listen: no address, expected HOST:PORT");
  EXPECT_EQ(error("config = 'x'"), "protean.toml:1: unknown key 'config'");
  EXPECT_THAT(error("queue_max = 1\nqueue_max = 2\n"), HasSubstr("protean.toml:2: "));
  EXPECT_THAT(error("a b"), HasSubstr("protean.toml:1: "));
  EXPECT_THAT(error("body_bytes_max = '1e3'"),
              HasSubstr("body_bytes_max: found '1e3', expected a size such as 64MiB, from 1B to 1TiB"));
}

TEST_F(ConfigFile, MustExistAndBeOfReasonableSize) {
  EXPECT_EQ(error_of({"m", "--config", "/nonexistent/x.toml"}),
            "/nonexistent/x.toml: cannot be read: No such file or directory");
  EXPECT_EQ(error_of({"m", "--config", folder.string()}), folder.string() + ": cannot be read: Is a directory");
  put(std::string(kTomlBytesMax + 1, '#'));
  EXPECT_THAT(error_of({"m", "--config", file.string()}), HasSubstr("more than 1048576 bytes"));
}

TEST(ServeOptions, UnknownFlagsSuggestTheNearest) {
  EXPECT_EQ(error_of({"m", "--queue-mx", "1"}), "unknown flag '--queue-mx': did you mean '--queue-max'?");
  EXPECT_EQ(error_of({"m", "--lisen=127.0.0.1:1"}), "unknown flag '--lisen': did you mean '--listen'?");
  EXPECT_EQ(error_of({"m", "--frobnicate"}), "unknown flag '--frobnicate'");
  EXPECT_EQ(error_of({"m", "-x"}), "unknown flag '-x'");
}

TEST(ServeOptions, UnknownVariablesAreErrorsUnlessKubernetesSetsThem) {
  EXPECT_EQ(error_of({"m"}, {{"PROTEAN_QUEUE_MAXX", "1"}}),
            "unknown environment variable 'PROTEAN_QUEUE_MAXX': did you mean 'PROTEAN_QUEUE_MAX'?");
  EXPECT_THAT(error_of({"m"}, {{"PROTEAN_HELP", "true"}}), HasSubstr("unknown environment variable 'PROTEAN_HELP'"));
  EXPECT_EQ(error_of({"m"}, {{"PROTEAN_SERVICE_HOST", "10.0.0.1"},
                             {"PROTEAN_SERVICE_PORT_HTTP", "80"},
                             {"PROTEAN_PORT", "tcp://10.0.0.1:80"},
                             {"PROTEAN_PORT_80_TCP", "tcp://10.0.0.1:80"},
                             {"PROTEAN_PORT_80_TCP_ADDR", "10.0.0.1"},
                             {"PROTEAN_CANARY_PORT_80_TCP_PROTO", "tcp"}}),
            "no error");
  EXPECT_THAT(error_of({"m"}, {{"PROTEAN_PORT", "8080"}}), HasSubstr("unknown environment variable 'PROTEAN_PORT'"));
}

TEST(ServeOptions, BadValuesSayWhereWhatAndWhatWasExpected) {
  EXPECT_EQ(error_of({"m", "--queue-max", "-1"}),
            "flag --queue-max: found '-1', expected a whole number from 1 to 1000000000");
  EXPECT_EQ(error_of({"m", "--drain-timeout", "30"}),
            "flag --drain-timeout: found '30', expected a time such as 500ms, 30s or 2m, from 0s to 24h");
  EXPECT_EQ(error_of({"m", "--watch=perhaps"}), "flag --watch: found 'perhaps', expected true or false");
  EXPECT_EQ(error_of({"m"}, {{"PROTEAN_LOG_FORMAT", "xml"}}),
            "environment PROTEAN_LOG_FORMAT: found 'xml', expected one of json, text");
  EXPECT_EQ(error_of({"m", "--queue-max", "1", "--queue-max", "2"}), "flag --queue-max: said 2 times, expected once");
  EXPECT_THAT(error_of({"m", "--queue-max"}), HasSubstr("--queue-max"));
  EXPECT_EQ(error_of({"m", "n"}), "found argument 'n', expected one folder with models");
  EXPECT_EQ(error_of({"m", "--models", "n"}), "found argument 'm', expected one folder with models");
  EXPECT_EQ(error_of({}), "no folder with models: expected `protean serve FOLDER`");
}

TEST(ServeOptions, ALowerSourceIsCheckedEvenWhenAHigherOneWins) {
  EXPECT_THAT(error_of({"m", "--queue-max", "1"}, {{"PROTEAN_QUEUE_MAX", "many"}}),
              HasSubstr("environment PROTEAN_QUEUE_MAX"));
}

TEST(ServeOptions, ListenBeyondLoopbackOnlyWhenToldSo) {
  EXPECT_THAT(error_of({"m", "--listen", "0.0.0.0:8080"}),
              HasSubstr("listen: 0.0.0.0:8080 can be reached from other machines"));
  EXPECT_THAT(error_of({"m", "--listen", "[::]:8080"}), HasSubstr("--insecure"));
  EXPECT_THAT(error_of({"m", "--listen", "[::ffff:10.0.0.1]:1"}), HasSubstr("--insecure"));
  EXPECT_EQ(error_of({"m", "--listen", "0.0.0.0:8080", "--insecure"}), "no error");
  EXPECT_EQ(error_of({"m", "--listen", "127.9.9.9:1", "--listen", "[::1]:1", "--listen", "localhost:2"}), "no error");
  EXPECT_EQ(error_of({"m", "--listen", "127.0.0.1:1", "--listen", "localhost:1"}),
            "flag --listen: 127.0.0.1:1 is named twice");
  EXPECT_EQ(error_of({"m", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"}), "no error");
}

TEST(ServeOptions, CompatOpensAProductsPortsBesideTheOthers) {
  const auto options = parse_serve_options(std::vector<std::string>{"m", "--compat", "tfserving"}, {});
  ASSERT_TRUE(options) << options.error().message;
  ASSERT_EQ(options->listen.size(), 4U);
  EXPECT_EQ(options->listen[0], (ListenAddress{"127.0.0.1", 8080, "default"}));
  EXPECT_EQ(options->listen[2], (ListenAddress{"127.0.0.1", 8500, "tfserving"}));
  EXPECT_EQ(options->listen[3], (ListenAddress{"127.0.0.1", 8501, "tfserving"}));
  EXPECT_EQ(error_of({"m", "--compat", "tfservin"}), "compat: product 'tfservin' is not known, expected tfserving");
}

TEST(ListenAddress, IsReadStrictly) {
  const auto message = [](std::string_view text) {
    const auto address = parse_listen_address(text);
    return address ? "no error" : address.error().message;
  };
  EXPECT_EQ(message("127.0.0.1:8080=tfservin"),
            "dialect 'tfservin' does not exist, expected default, admin, tfserving");
  EXPECT_EQ(parse_listen_address("127.0.0.1:8501=tfserving")->dialect, "tfserving");
  EXPECT_EQ(message("127.0.0.1:65536"), "port '65536', expected 0 to 65535");
  EXPECT_EQ(message("127.0.0.1:"), "port '', expected 0 to 65535");
  EXPECT_EQ(message("8080"), "found '8080', expected HOST:PORT such as 127.0.0.1:8080 or [::1]:8080");
  for (const char* bad : {"", ":", ":1", "[]:1", "[127.0.0.1]:1", "::1:8080", "host:1", "1.2.3:1", "[::1]",
                          "127.0.0.1:+1", "127.0.0.1: 1", "[::1:8080"}) {
    EXPECT_FALSE(parse_listen_address(bad)) << bad;
  }
  EXPECT_EQ(parse_listen_address("[::1]:80")->authority(), "[::1]:80");
}

TEST(ServeOptions, TlsNeedsBothFiles) {
  EXPECT_EQ(error_of({"m", "--tls-cert", "c"}), "tls-cert is given without tls-key: TLS needs both");
  EXPECT_EQ(error_of({"m"}, {{"PROTEAN_TLS_KEY", "k"}}), "tls-key is given without tls-cert: TLS needs both");
}

TEST(ServeOptions, ABodyMustFitIntoTheMemoryForAllBodies) {
  EXPECT_EQ(error_of({"m", "--body-bytes-max", "2MiB", "--request-memory-max", "1MiB"}),
            "body-bytes-max 2MiB is above request-memory-max 1MiB: such a body could never be taken");
}

TEST(ServeOptions, TheDefaultForOneBodyYieldsToASmallMemory) {
  const auto options = parse({"m", "--request-memory-max", "1MiB"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->limits.body_bytes_max, 1'048'576);
  EXPECT_THAT(format_config(*options), HasSubstr("# default, bounded by request_memory_max\n"));
}

TEST(ServeOptions, TheNumberOfThreadsSaysWhereItComesFrom) {
  const std::string reason = count_usable_cores().reason;
  EXPECT_THAT(format_config(*parse({"m"})), HasSubstr("# default: " + reason + "\n"));
  EXPECT_THAT(format_config(*parse({"m", "--run-threads", "3", "--io-threads", "2"})), Not(HasSubstr(reason)));
}

TEST(ServeOptions, HelpAndVersionLookAtNothingElse) {
  EXPECT_EQ(parse({"--help"}, {{"PROTEAN_NONSENSE", "1"}})->action, ServeAction::kHelp);
  EXPECT_EQ(parse({"-h"})->action, ServeAction::kHelp);
  EXPECT_EQ(parse({"--version", "--config", "/nonexistent"})->action, ServeAction::kVersion);
  EXPECT_EQ(parse({"--print-config"})->action, ServeAction::kPrintConfig);
  EXPECT_EQ(parse({"--print-config=false", "m"})->action, ServeAction::kServe);
}

TEST(ServeOptions, WhatFollowsTwoDashesIsTheFolder) {
  const auto options = parse({"--", "--odd"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->models, "./--odd");
}

TEST(ServeOptions, ArgumentsMayHoldAnything) {
  for (const char* odd :
       {"", "-", "=", "--=", "---", "--listen=", "[a,b]", "'", "\"\"", "--queue-max=", "{}", "%s", "++"}) {
    (void)parse({odd});
    (void)parse({"m", odd, odd});
    (void)parse({"m", "--models", odd});
  }
  EXPECT_EQ(parse({"[a,b]"})->models, "[a,b]");
  EXPECT_EQ(parse({"--models", "[a,b]"})->models, "[a,b]");
  EXPECT_EQ(parse({"--models=\"a\""})->models, "\"a\"");
  EXPECT_EQ(error_of({std::string("m\0n", 3)}), "an argument holds a NUL byte");
}

TEST_F(ConfigFile, PrintedConfigIsAFileThatSaysTheSame) {
  const auto first = parse({"mod\"els\x7f", "--queue-max", "9", "--listen", "[::1]:0", "--drain-timeout", "90s",
                            "--body-bytes-max", "1500", "--print-config"},
                           {{"PROTEAN_ACCESS_LOG", "off"}});
  ASSERT_TRUE(first) << first.error().message;
  const std::string printed = format_config(*first);
  EXPECT_THAT(printed, HasSubstr("queue_max = 9                                     # flag --queue-max\n"));
  EXPECT_THAT(printed,
              HasSubstr("access_log = \"off\"                                # environment PROTEAN_ACCESS_LOG\n"));
  EXPECT_THAT(printed, HasSubstr("drain_timeout = \"90s\"                             # flag --drain-timeout\n"));
  EXPECT_THAT(printed, HasSubstr("listen = [\"[::1]:0\"]                              # flag --listen\n"));
  EXPECT_THAT(printed, HasSubstr("body_bytes_max = \"1500B\"                          # flag --body-bytes-max\n"));
  EXPECT_THAT(printed, HasSubstr("streams_max = 256                                 # default\n"));
  put(printed);
  const auto second = parse({"--config", file.string()});
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->models, folder / "mod\"els\x7f");
  for (const auto& option : option_table()) {
    if (option.kind == ValueKind::kPath || option.scope != OptionScope::kEverywhere) continue;
    EXPECT_EQ(format_value(option, *second), format_value(option, *first)) << option.name;
  }
}

TEST_F(ConfigFile, OriginsNameFileAndLine) {
  put("\nqueue_max = 5\n");
  const auto options = parse({"m", "--config", file.string()});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_THAT(format_config(*options), HasSubstr("protean.toml:2"));
}

TEST(OptionValues, SizesAreReadExactly) {
  EXPECT_EQ(parse_bytes("0"), 0);
  EXPECT_EQ(parse_bytes("17"), 17);
  EXPECT_EQ(parse_bytes("17B"), 17);
  EXPECT_EQ(parse_bytes("64KiB"), 65'536);
  EXPECT_EQ(parse_bytes("64MiB"), 67'108'864);
  EXPECT_EQ(parse_bytes("2GB"), 2'000'000'000);
  EXPECT_EQ(parse_bytes("16777215TiB"), 18'446'742'974'197'923'840U);
  for (const char* bad : {"", "MiB", "1.5MiB", "1 MiB", "-1", "+1", "1mib", "1M", "16777216TiB", "0x10", "1MiBB"}) {
    EXPECT_FALSE(parse_bytes(bad)) << bad;
  }
  EXPECT_EQ(format_bytes_exactly(67'108'864), "64MiB");
  EXPECT_EQ(format_bytes_exactly(1500), "1500B");
  EXPECT_EQ(format_bytes_exactly(0), "0");
}

TEST(OptionValues, TimesAreReadExactly) {
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("30s"), milliseconds(30'000));
  EXPECT_EQ(parse_duration("2m"), milliseconds(120'000));
  EXPECT_EQ(parse_duration("1h"), milliseconds(3'600'000));
  for (const char* bad : {"", "30", "s", "1.5s", "-1s", "1 s", "1d", "9223372036854775808ms", "99999999999999999h"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  EXPECT_EQ(format_duration_exactly(milliseconds(500)), "500ms");
  EXPECT_EQ(format_duration_exactly(milliseconds(60'000)), "60s");
  EXPECT_EQ(format_duration_exactly(milliseconds(120'000)), "2m");
  EXPECT_EQ(format_duration_exactly(milliseconds(0)), "0s");
}

TEST(OptionTable, FieldsGoWithKindsAndNamesAreUnique) {
  ServeOptions options;
  std::set<std::string_view> names;
  for (const auto& option : option_table()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_EQ(option.help.find('\n'), std::string_view::npos);
    if (option.scope == OptionScope::kFlagOnly) continue;
    // Storing what was formatted must be accepted, whatever the field's type.
    Setting setting{&option, {format_value(option, options)}, "test"};
    if (auto& text = setting.values[0]; text.front() == '"') text = text.substr(1, text.size() - 2);
    if (option.kind == ValueKind::kListen) setting.values = {"127.0.0.1:1"};
    if (option.name == "request-memory-max" || option.name == "python-memory-max") setting.values = {"1GiB"};
    const auto stored = store_setting(setting, options);
    EXPECT_TRUE(stored) << stored.error().message;
  }
}

TEST(ServeHelp, NamesEveryFlagWithinOneHundredColumns) {
  const std::string help = serve_help();
  for (const auto& option : option_table()) EXPECT_THAT(help, HasSubstr(flag_name(option))) << option.name;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 110) << line;
}

TEST(ConfigurationDocumentation, ListsEveryOptionWithItsSpellings) {
  std::stringstream page;
  page << std::ifstream(std::string(PROTEAN_SOURCE_DIR) + "/docs/configuration.md").rdbuf();
  for (const auto& option : option_table()) {
    EXPECT_THAT(page.str(), HasSubstr("`" + flag_name(option) + "`"));
    if (option.scope != OptionScope::kEverywhere) continue;
    EXPECT_THAT(page.str(), HasSubstr("`" + key_name(option) + "`"));
  }
}

}  // namespace
}  // namespace protean
