// SPDX-License-Identifier: Apache-2.0
// What the scheduler decided about a version and why, in words for its status.
#pragma once

#include <string>
#include <vector>

#include "serving/loaded_version.h"

namespace protean {

/// Lines such as `runs on the executor: 2310 us a run`, `batches: rows are independent, and sharing pays`.
/// Thread-safe; the figures are those of the moment.
[[nodiscard]] std::vector<std::string> scheduling_status(const LoadedVersion& version);

}  // namespace protean
