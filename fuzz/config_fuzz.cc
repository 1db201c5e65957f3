// SPDX-License-Identifier: Apache-2.0
// Feeds arbitrary bytes to everything that reads configuration: the TOML file, and the same bytes cut at line
// ends as command line arguments and as environment variables. What is accepted must survive being printed and
// read back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cli/config_file.h"
#include "cli/flags.h"
#include "cli/option_table.h"
#include "cli/options.h"
#include "cli/python_environments.h"

namespace {

using namespace protean;

/// Stores what was read; false when a value is refused.
bool store(const std::vector<Setting>& settings, ServeOptions& options) {
  for (const auto& setting : settings) {
    if (setting.option->scope != OptionScope::kEverywhere) continue;
    if (!store_setting(setting, options)) return false;
  }
  return true;
}

std::vector<std::string> lines_of(std::string_view text) {
  constexpr std::size_t kLinesMax = 64;
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < kLinesMax) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

/// What was accepted once is accepted again after printing, and prints the same.
void check_round_trip(const ServeOptions& options) {
  const std::string printed = format_config(options);
  const auto again = read_config_text(printed, "/fuzz.toml");
  PROTEAN_CHECK(again.has_value());
  ServeOptions second;
  PROTEAN_CHECK(store(again->settings, second));
  if (again->python_environments) {
    const auto environments = read_python_environments(*again->python_environments, "/fuzz.toml", {});
    PROTEAN_CHECK(environments.has_value());
    PROTEAN_CHECK(format_python_environments(*environments) == format_python_environments(options.python_environments));
  }
  for (const auto& option : option_table()) {
    // Paths become absolute, and text that is not UTF-8 is printed as U+FFFD.
    if (option.kind == ValueKind::kPath || option.scope != OptionScope::kEverywhere) continue;
    PROTEAN_CHECK(format_value(option, options) == format_value(option, second));
  }
}

void fuzz_file(std::string_view text) {
  const auto file = read_config_text(text, "/fuzz.toml");
  if (!file) {
    PROTEAN_CHECK(file.error().message.starts_with("/fuzz.toml:"));
    return;
  }
  ServeOptions options;
  options.request_memory_max = std::size_t{1} << 30;  // the machine's own is not known here
  if (file->python_environments) {
    auto environments = read_python_environments(*file->python_environments, "/fuzz.toml", {});
    if (!environments) return;
    options.python_environments = *std::move(environments);
  }
  if (store(file->settings, options)) check_round_trip(options);
}

void fuzz_flags(const std::vector<std::string>& lines) {
  const auto settings = read_flags(lines);
  if (!settings) {
    PROTEAN_CHECK(!settings.error().message.empty());
    return;
  }
  ServeOptions options;
  options.request_memory_max = std::size_t{1} << 30;
  if (store(*settings, options)) check_round_trip(options);
}

void fuzz_environment(const std::vector<std::string>& lines) {
  Environment environment;
  for (const auto& line : lines) {
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = "PROTEAN_" + line.substr(0, equals);
    if (name == "PROTEAN_CONFIG") continue;  // would read files
    environment.emplace_back(name, line.substr(equals + 1));
  }
  const std::vector<std::string> args = {"models"};
  if (const auto options = parse_serve_options(args, environment)) check_round_trip(*options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz_file(text);
  const auto lines = lines_of(text);
  fuzz_flags(lines);
  fuzz_environment(lines);
  return 0;
}
