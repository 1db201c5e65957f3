// SPDX-License-Identifier: Apache-2.0
// `[[columns]]` in a model's protean.toml: names, types and categories that its file does not have, or has wrong.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "configuration/toml_file.h"
#include "core/table.h"

namespace protean {

/// `entry`: the key `columns`, from the file `name`. The keys of a column: `name` (required), `type`, `nullable`,
/// `required`, `categories`, `unknown` ("refuse" or "missing").
/// Errors: kInvalidArgument `PATH:LINE: columns[1].type: found ..., expected ...`.
[[nodiscard]] Result<std::vector<ColumnConfig>> read_columns(const TomlEntry& entry, const std::filesystem::path& name);

/// The same as text; empty without columns.
[[nodiscard]] std::string format_columns(std::span<const ColumnConfig> columns);

}  // namespace protean
