// SPDX-License-Identifier: Apache-2.0
// Models that the configuration file names with a path of their own: tables [served.NAME].
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "configuration/toml_file.h"
#include "core/model_entry.h"

namespace protean {

/// `served`: the entry of that name.  `name`: of the file; relative paths are taken from its folder. Each table has
/// `path`, and may have `aliases` (a table of versions) and the tables `versions`, `load`, `warm_up`, `batch`
/// and `tensorflow` of a protean.toml, which stand above the model's own.
/// Errors: kInvalidArgument `protean.toml:3: ...`.
[[nodiscard]] Result<std::vector<ModelEntry>> read_served_models(const TomlEntry& served,
                                                                 const std::filesystem::path& name);

/// As read_served_models() reads it back.
[[nodiscard]] std::string format_served_models(const std::vector<ModelEntry>& models);

}  // namespace protean
