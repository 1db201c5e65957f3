// SPDX-License-Identifier: Apache-2.0
// Feeds the option table to CLI11 and collects raw text: interpretation is shared with the other sources.
#include "cli/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <CLI/CLI.hpp>

#include "base/text.h"

namespace protean {
namespace {

bool is_boolean_flag(std::string_view arg) {
  return std::any_of(option_table().begin(), option_table().end(), [&](const OptionSpec& option) {
    return option.kind == ValueKind::kBool && arg.starts_with("--") && arg.substr(2) == option.name;
  });
}

/// CLI11 takes the value of a flag after `=` only; people also write `--watch false`.
std::vector<std::string> join_boolean_values(std::span<const std::string> args) {
  std::vector<std::string> joined;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--") {
      joined.insert(joined.end(), args.begin() + static_cast<std::ptrdiff_t>(i), args.end());
      break;
    }
    joined.push_back(args[i]);
    if (i + 1 < args.size() && is_boolean_flag(args[i]) && parse_bool(args[i + 1])) joined.back() += "=" + args[++i];
  }
  return joined;
}

/// Beside each row of the table, what CLI11 collects for it.
std::vector<CLI::Option*> add_options(CLI::App& app) {
  std::vector<CLI::Option*> added;
  for (const auto& spec : option_table()) {
    const std::string name = spec.name == "help" ? "-h,--help" : flag_name(spec);
    CLI::Option* option =
        spec.kind == ValueKind::kBool ? app.add_flag(name) : app.add_option(name)->expected(1)->allow_extra_args(false);
    added.push_back(option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll));
  }
  return added;
}

Result<std::vector<Setting>> settings_of(const std::vector<CLI::Option*>& added) {
  std::vector<Setting> settings;
  for (std::size_t i = 0; i < added.size(); ++i) {
    const OptionSpec& spec = option_table()[i];
    const auto& values = added[i]->results();
    if (values.empty()) continue;
    const std::string origin = "flag " + flag_name(spec);
    if (values.size() > 1 && spec.kind != ValueKind::kListen) {
      return fail(Code::kInvalidArgument, fmt::format("{}: said {} times, expected once", origin, values.size()));
    }
    settings.push_back({&spec, values, origin});
  }
  return settings;
}

Result<std::vector<Setting>> with_positional(std::vector<Setting> settings, const std::vector<std::string>& rest) {
  std::vector<std::string> folders;
  for (const auto& arg : rest) {
    if (arg.size() > 1 && arg[0] == '-') {
      const std::string name = arg.substr(0, arg.find('='));
      return fail(Code::kInvalidArgument, fmt::format("unknown flag '{}'{}", printable(name),
                                                      suggestion(name, flag_name, OptionScope::kFlagOnly)));
    }
    folders.push_back(arg);
  }
  if (folders.empty()) return settings;
  const bool said =
      std::any_of(settings.begin(), settings.end(), [](const Setting& s) { return s.option->name == "models"; });
  if (folders.size() > 1 || said) {
    return fail(Code::kInvalidArgument,
                fmt::format("found argument '{}', expected one folder with models", printable(folders.back())));
  }
  settings.push_back({option_table().data(), {folders[0]}, "argument MODELS"});
  return settings;
}

}  // namespace

Result<std::vector<Setting>> read_flags(std::span<const std::string> args) {
  const bool has_nul = std::any_of(args.begin(), args.end(), [](const auto& a) { return a.find('\0') != a.npos; });
  if (has_nul) return fail(Code::kInvalidArgument, "an argument holds a NUL byte");
  std::vector<std::string> joined = join_boolean_values(args);
  std::vector<std::string> after_dashes;
  if (const auto dashes = std::find(joined.begin(), joined.end(), "--"); dashes != joined.end()) {
    after_dashes.assign(dashes + 1, joined.end());
    joined.erase(dashes, joined.end());
  }
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.allow_windows_style_options(false);
  const auto added = add_options(app);
  std::vector<std::string> rest;
  try {
    std::reverse(joined.begin(), joined.end());  // CLI11 takes a vector from its end
    app.parse(joined);
    rest = app.remaining();
  } catch (const CLI::ParseError& error) {
    return fail(Code::kInvalidArgument, fmt::format("command line: {}", error.what()));
  }
  TRY(auto settings, settings_of(added));
  if (!after_dashes.empty()) {
    // What follows `--` is never a flag.
    for (auto& arg : after_dashes) rest.push_back(arg.starts_with("-") ? "./" + arg : std::move(arg));
  }
  return with_positional(std::move(settings), rest);
}

}  // namespace protean
