// SPDX-License-Identifier: Apache-2.0
// `protean import`: configuration of another product as configuration of ours.
#pragma once

#include <span>
#include <string>

namespace protean {

/// `args`: what follows `import`.  Returns the process's exit status: 0; 1 when something could not be read or written;
/// 2 for a command line that is wrong; 3 with --strict when not everything is mapped.
[[nodiscard]] int run_import(std::span<const std::string> args);

}  // namespace protean
