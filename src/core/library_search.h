// SPDX-License-Identifier: Apache-2.0
// Shared libraries that are loaded at run time: where they may lie, and opening them with an error that people can use.
// Places are asked of the file system only; no interpreter is started and nothing is mapped to find out.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace protean {

/// Where an interpreter's installed packages are: `site-packages` and `dist-packages` of its prefix, those that exist.
/// `interpreter`: a program or the folder of a virtual environment; empty: the first `python3` in `path_variable`
/// (folders with `:` between them). Packages of the base interpreter come along where a virtual environment says so.
[[nodiscard]] std::vector<std::filesystem::path> python_package_folders(const std::string& interpreter,
                                                                        std::string_view path_variable);

/// Folders of `library_path` (as LD_LIBRARY_PATH has them), then those that the system's loader looks into.
[[nodiscard]] std::vector<std::filesystem::path> system_library_folders(std::string_view library_path);

/// An environment variable's value, empty when it is not set.
[[nodiscard]] std::string environment_text(const char* name);

/// Maps `path` with all its symbols bound, visible to nobody else; it stays for the life of the process.
/// Errors: kFailedPrecondition with the loader's own words.
[[nodiscard]] Result<void*> open_library(const std::filesystem::path& path);

/// Null when the library has no such symbol.
[[nodiscard]] void* find_symbol(void* library, const char* name) noexcept;

}  // namespace protean
