// SPDX-License-Identifier: Apache-2.0
// `[python_environments.NAME]` of the server's configuration file: what flags say of Python models, once more by name.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "configuration/toml_file.h"
#include "core/python_environment.h"

namespace protean {

/// `entry`: the key `python_environments`, from the file `name`; relative paths are taken from its folder.
/// `defaults`: what flags say. Interpreter, limits and time-outs that are left out are theirs; network, files and
/// variables are not.
/// Errors: kInvalidArgument `protean.toml:7: python_environments.torch.workers: found ..., expected ...`.
[[nodiscard]] Result<std::vector<PythonEnvironment>> read_python_environments(const TomlEntry& entry,
                                                                              const std::filesystem::path& name,
                                                                              const PythonEnvironment& defaults);

/// As tables that read_python_environments() reads back to the same; empty without any.
[[nodiscard]] std::string format_python_environments(std::span<const PythonEnvironment> environments);

}  // namespace protean
