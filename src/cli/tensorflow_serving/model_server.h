// SPDX-License-Identifier: Apache-2.0
// `protean tensorflow_model_server`: stands in for that program.
#pragma once

#include <span>
#include <string>

namespace protean {

/// `args`: what follows the command.  Returns the process's exit status, that of the original: 0, or 255 when it could
/// not start.
[[nodiscard]] int run_model_server(std::span<const std::string> args);

}  // namespace protean
