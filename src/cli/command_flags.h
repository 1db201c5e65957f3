// SPDX-License-Identifier: Apache-2.0
// Flags of the commands that do their work and end (bench, tune): a list of them, read from the command line, with
// the nearest name for an unknown one, and the help made from the same list.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace protean {

/// `value`: what the help calls it; empty for a flag that takes none.
struct FlagSpec {
  std::string_view name;
  std::string_view value;
  std::string_view help;
  bool repeatable = false;
};

/// Values are text still; reading one that was not said leaves the default as it is.
class CommandFlags {
 public:
  /// Errors: kInvalidArgument: an unknown flag, a missing or unwanted value, a flag said twice, a value that is not
  /// within its bounds. All of them name the flag, what was found and what was expected.
  [[nodiscard]] static Result<CommandFlags> read(std::span<const std::string> args, std::span<const FlagSpec> specs);

  [[nodiscard]] bool said(std::string_view name) const { return values_.contains(name); }
  [[nodiscard]] const std::vector<std::string>& positional() const noexcept { return positional_; }
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;

  void text(std::string_view name, std::string& out) const;
  Status whole(std::string_view name, std::uint64_t least, std::uint64_t most, std::uint64_t& out) const;
  Status positive(std::string_view name, double& out) const;
  /// `500us`, `2.5ms`, `10s`, `2m`.
  Status duration(std::string_view name, Duration least, Duration most, Duration& out) const;
  /// The index of the choice; `choices` separated by `|`.
  Status choice(std::string_view name, std::string_view choices, std::size_t& out) const;

 private:
  [[nodiscard]] const std::string* find(std::string_view name) const;

  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> positional_;
};

/// A number with a unit: `500us`, `2.5ms`, `10s`, `2m`, `1h`; `0` needs none.
[[nodiscard]] std::optional<Duration> parse_span(std::string_view text);

/// `312 us`, `1.24 ms`, `20.1 ms`, `1.2 s`: three significant digits, for people.
[[nodiscard]] std::string format_span(Duration span);

/// One line a flag, aligned and folded.
[[nodiscard]] std::string format_flag_help(std::span<const FlagSpec> specs);

/// `protean: MESSAGE` to standard error; returns `status`.
int complain(const Error& error, int status);

}  // namespace protean
