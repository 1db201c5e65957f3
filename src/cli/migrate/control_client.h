// SPDX-License-Identifier: Apache-2.0
// The other end of the control listener: `protean migrate --control HOST:PORT --weight 0.25`.
#pragma once

#include <string>

#include "base/result.h"

namespace protean {

/// Tells the migration at `control` (`HOST:PORT`) the new side's weight. Blocks for at most ten seconds.
/// Errors: kInvalidArgument, kUnavailable (nobody there), kInternal (it refused).
[[nodiscard]] Status send_weight(const std::string& control, double weight);

}  // namespace protean
