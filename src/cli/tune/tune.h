// SPDX-License-Identifier: Apache-2.0
// `protean tune`: from the command line to the model's configuration.
#pragma once

#include <span>
#include <string>

namespace protean {

/// `args`: what follows `tune`.  Returns the process's exit status; tune_help() lists them.
[[nodiscard]] int run_tune(std::span<const std::string> args);

}  // namespace protean
