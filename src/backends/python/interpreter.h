// SPDX-License-Identifier: Apache-2.0
// Which Python runs the workers, and where its own files are.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace protean::python {

/// What an interpreter says of itself. `program`: to be started, a path in its virtual environment if it has one.
/// `folders`: what it must be able to read: its prefixes and search path.
struct Interpreter {
  std::filesystem::path program;
  std::string version;
  std::vector<std::filesystem::path> folders;
};

/// `configured`: a program, or the folder of a virtual environment; empty: python3 on `search_path` (as PATH).
/// Errors: kFailedPrecondition, saying where was looked.
[[nodiscard]] Result<std::filesystem::path> find_interpreter(const std::string& configured,
                                                             std::string_view search_path);

/// Runs it once, isolated (-I), for at most 20 s.
/// Errors: kFailedPrecondition: it does not run, is older than 3.10, or has no NumPy.
[[nodiscard]] Result<Interpreter> ask_interpreter(const std::filesystem::path& program);

}  // namespace protean::python
