// SPDX-License-Identifier: Apache-2.0
// The command `protean migrate`.
#pragma once

#include <span>
#include <string>

namespace protean {

/// `args`: what follows `protean migrate`.  Returns the exit status.
[[nodiscard]] int run_migrate(std::span<const std::string> args);

}  // namespace protean
