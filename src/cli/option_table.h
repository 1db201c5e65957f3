// SPDX-License-Identifier: Apache-2.0
// The declarative table behind flags, environment, configuration file, help and --print-config.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/options.h"
#include "configuration/value_text.h"

namespace protean {

enum class ValueKind : unsigned char { kText, kPath, kUint, kBytes, kDuration, kBool, kEnum, kListen };

/// Where an option may be said.
enum class OptionScope : unsigned char { kEverywhere, kFlagOrEnvironment, kFlagOnly };

/// The field of ServeOptions that an option sets; its type goes with the kind of value.
using OptionField =
    std::variant<std::filesystem::path*, std::string*, bool*, std::size_t*, std::chrono::milliseconds*,
                 std::vector<ListenAddress>*, log::Level*, log::Format*, AccessLogPolicy*, ServeAction*>;

/// `name`: the flag without dashes. The variable is PROTEAN_NAME, the key name with `_` for `-`.
/// `choices`: of kEnum, separated by `|`, in the order of the enumerators.
/// `least`, `most`: bounds of kUint and kBytes, and of kDuration in milliseconds.
/// `default_text`: shown in the help where the default depends on the machine; empty: the value itself.
struct OptionSpec {
  std::string_view name;
  ValueKind kind;
  std::string_view group;
  std::string_view help;
  OptionField (*field)(ServeOptions&);
  std::string_view default_text = {};
  std::string_view choices = {};
  std::uint64_t least = 0;
  std::uint64_t most = UINT64_MAX;
  OptionScope scope = OptionScope::kEverywhere;
};

/// In the order of the help; lives for ever.
[[nodiscard]] std::span<const OptionSpec> option_table() noexcept;

[[nodiscard]] std::string flag_name(const OptionSpec& option);      // --queue-max
[[nodiscard]] std::string variable_name(const OptionSpec& option);  // PROTEAN_QUEUE_MAX
[[nodiscard]] std::string key_name(const OptionSpec& option);       // queue_max

/// One mention of an option. `origin` goes into messages and --print-config; several values for lists only.
struct Setting {
  const OptionSpec* option = nullptr;
  std::vector<std::string> values;
  std::string origin;
};

/// `: did you mean 'queue_max'?`, or empty when no option that `scope_max` allows has a similar name.
[[nodiscard]] std::string suggestion(std::string_view name, std::string (*spelling)(const OptionSpec&),
                                     OptionScope scope_max);

/// Reads the setting's values into the option's field.
/// Errors: kInvalidArgument `ORIGIN: found 'x', expected ...`.
[[nodiscard]] Status store_setting(const Setting& setting, ServeOptions& options);

/// The option's present value as it stands in a configuration file: `64MiB`, `30s`, `"text"`, `true`.
[[nodiscard]] std::string format_value(const OptionSpec& option, const ServeOptions& options);

}  // namespace protean
