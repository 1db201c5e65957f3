// SPDX-License-Identifier: Apache-2.0
// The configuration file: TOML with the options of the table as top-level keys, and tables of Python environments.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/option_table.h"
#include "configuration/toml_file.h"

namespace protean {

/// `python_environments`: for read_python_environments(), when all flags are known.  `served`: for
/// read_served_models().
struct ConfigFile {
  std::filesystem::path name;
  std::vector<Setting> settings;
  std::optional<TomlEntry> python_environments;
  std::optional<TomlEntry> served;
};

/// `name`: for messages and origins (`protean.toml:3`); relative paths are taken from its folder.
/// Errors: kInvalidArgument `protean.toml:3: ...`: malformed TOML, an unknown key (with the nearest name), a
/// value of the wrong type.
[[nodiscard]] Result<ConfigFile> read_config_text(std::string_view text, const std::filesystem::path& name);

/// Errors: also kNotFound or kPermissionDenied when it cannot be read, kResourceExhausted above kTomlBytesMax.
[[nodiscard]] Result<ConfigFile> read_config_file(const std::filesystem::path& file);

}  // namespace protean
