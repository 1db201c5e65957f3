// SPDX-License-Identifier: Apache-2.0
// One pass over the arguments, then typed look-ups that name the flag in every message.
#include "cli/command_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "cli/text_table.h"

namespace protean {
namespace {

struct SpanUnit {
  std::string_view name;
  double ns;
};
constexpr std::array<SpanUnit, 5> kSpanUnits = {{{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

tl::unexpected<Error> wrong(std::string_view name, std::string_view found, std::string_view expected) {
  return fail(Code::kInvalidArgument,
              fmt::format("flag --{}: found '{}', expected {}", name, printable(found), expected));
}

tl::unexpected<Error> unknown(std::string_view name, std::span<const FlagSpec> specs) {
  std::vector<std::string> names = {"--help"};
  for (const auto& spec : specs) names.push_back("--" + std::string(spec.name));
  const auto nearest = nearest_name(name, names);
  return fail(Code::kInvalidArgument, fmt::format("unknown flag '{}'{}", printable(name),
                                                  nearest ? ": did you mean '" + *nearest + "'?" : std::string()));
}

}  // namespace

Result<CommandFlags> CommandFlags::read(std::span<const std::string> args, std::span<const FlagSpec> specs) {
  CommandFlags flags;
  bool only_positional = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (only_positional || arg.size() < 2 || arg[0] != '-') {
      flags.positional_.push_back(arg);
      continue;
    }
    if (arg == "--") {
      only_positional = true;
      continue;
    }
    if (arg == "-h" || arg == "--help") {
      flags.values_["help"];
      continue;
    }
    const auto equals = arg.find('=');
    const std::string name = arg.substr(0, equals);
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const auto& s) { return name == fmt::format("--{}", s.name); });
    if (spec == specs.end()) return unknown(name, specs);
    auto& values = flags.values_[std::string(spec->name)];
    const bool bare = spec->value.empty();
    if (bare && equals != std::string::npos) return wrong(spec->name, arg.substr(equals + 1), "no value");
    if (!bare && equals == std::string::npos && i + 1 == args.size()) {
      return fail(Code::kInvalidArgument, fmt::format("flag {}: no value, expected {}", name, spec->value));
    }
    if (!values.empty() && !spec->repeatable) {
      return fail(Code::kInvalidArgument, fmt::format("flag {}: said twice, expected once", name));
    }
    values.push_back(bare ? "true" : equals != std::string::npos ? arg.substr(equals + 1) : args[++i]);
  }
  return flags;
}

const std::string* CommandFlags::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->second.empty() ? nullptr : &found->second.back();
}

std::vector<std::string> CommandFlags::all(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

void CommandFlags::text(std::string_view name, std::string& out) const {
  if (const auto* value = find(name)) out = *value;
}

Status CommandFlags::whole(std::string_view name, std::uint64_t least, std::uint64_t most, std::uint64_t& out) const {
  const auto* value = find(name);
  if (value == nullptr) return {};
  const auto number = parse_uint64(*value);
  if (!number || *number < least || *number > most) {
    return wrong(name, *value, fmt::format("a whole number from {} to {}", least, most));
  }
  out = *number;
  return {};
}

Status CommandFlags::positive(std::string_view name, double& out) const {
  const auto* value = find(name);
  if (value == nullptr) return {};
  constexpr double kMost = 1e7;
  const auto number = parse_number(*value);
  if (!number || *number <= 0 || *number > kMost) return wrong(name, *value, "a number above 0, at most 10000000");
  out = *number;
  return {};
}

Status CommandFlags::duration(std::string_view name, Duration least, Duration most, Duration& out) const {
  const auto* value = find(name);
  if (value == nullptr) return {};
  const auto span = parse_span(*value);
  if (!span || *span < least || *span > most) {
    return wrong(name, *value,
                 fmt::format("a time such as 500ms, 10s or 2m, from {} to {}",
                             least.count() == 0 ? "0" : format_span(least), format_span(most)));
  }
  out = *span;
  return {};
}

Status CommandFlags::choice(std::string_view name, std::string_view choices, std::size_t& out) const {
  const auto* value = find(name);
  if (value == nullptr) return {};
  const auto names = split(choices, '|');
  const auto found = std::find(names.begin(), names.end(), *value);
  if (found == names.end()) return wrong(name, *value, fmt::format("one of {}", fmt::join(names, ", ")));
  out = static_cast<std::size_t>(found - names.begin());
  return {};
}

std::optional<Duration> parse_span(std::string_view text) {
  if (text == "0") return Duration::zero();
  const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = parse_number(text.substr(0, digits));
  const auto unit = std::find_if(kSpanUnits.begin(), kSpanUnits.end(),
                                 [&](const SpanUnit& u) { return u.name == text.substr(digits); });
  constexpr double kMost = 365.0 * 24 * 3600e9;
  if (!number || unit == kSpanUnits.end() || *number * unit->ns > kMost) return std::nullopt;
  return Duration(std::llround(*number * unit->ns));
}

std::string format_span(Duration span) {
  constexpr std::array<SpanUnit, 3> kShown = {{{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};
  const auto ns = static_cast<double>(span.count());
  // 999.5 of a unit would be printed as 1000 of it.
  const auto unit = std::find_if(kShown.begin(), kShown.end() - 1, [&](const auto& u) { return ns < u.ns * 999.5; });
  const double value = ns / unit->ns;
  const int decimals = value == std::floor(value) || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, unit->name);
}

std::string format_flag_help(std::span<const FlagSpec> specs) {
  constexpr std::size_t kColumns = 100;
  std::size_t widest = 0;
  const auto left = [](const FlagSpec& s) {
    return s.value.empty() ? fmt::format("--{}", s.name) : fmt::format("--{} {}", s.name, s.value);
  };
  for (const auto& spec : specs) widest = std::max(widest, left(spec).size());
  std::string out;
  for (const auto& spec : specs) {
    std::string head = left(spec);
    for (const auto& line : fold(spec.help, kColumns - widest - 4)) {
      out += fmt::format("  {:{}}  {}\n", std::exchange(head, {}), widest, line);
    }
  }
  return out;
}

int complain(const Error& error, int status) {
  std::fprintf(stderr, "protean: %s\n", error.message.c_str());
  return status;
}

}  // namespace protean
