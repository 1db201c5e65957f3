// SPDX-License-Identifier: Apache-2.0
// The configuration file: TOML with the options of the table as top-level keys.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/option_table.h"

namespace protean {

/// `name`: for messages and origins (`protean.toml:3`); relative paths are taken from its folder.
/// Errors: kInvalidArgument `protean.toml:3: ...`: malformed TOML, an unknown key (with the nearest name), a
/// value of the wrong type.
[[nodiscard]] Result<std::vector<Setting>> read_config_text(std::string_view text, const std::filesystem::path& name);

/// Errors: also kNotFound or kPermissionDenied when it cannot be read, kResourceExhausted above kTomlBytesMax.
[[nodiscard]] Result<std::vector<Setting>> read_config_file(const std::filesystem::path& file);

}  // namespace protean
