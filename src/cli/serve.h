// SPDX-License-Identifier: Apache-2.0
// `protean serve`: from the command line to a running server and, at a signal, to a clean end.
#pragma once

#include <span>
#include <string>

namespace protean {

/// `args`: what follows `serve`.  Returns the process's exit status: 0 after a clean end, 1 when the server
/// could not start, 2 for a wrong command line.
[[nodiscard]] int run_serve(std::span<const std::string> args);

}  // namespace protean
