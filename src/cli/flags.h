// SPDX-License-Identifier: Apache-2.0
// The command line of `protean serve`, read by CLI11 from the option table.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/option_table.h"

namespace protean {

/// What was said, values not yet interpreted. The positional argument becomes the option `models`; -h is
/// --help. A bare boolean flag means true, `--flag=false` and `--flag false` mean false.
/// Errors: kInvalidArgument: an unknown flag (with the nearest name), a missing value, a flag said twice.
[[nodiscard]] Result<std::vector<Setting>> read_flags(std::span<const std::string> args);

}  // namespace protean
