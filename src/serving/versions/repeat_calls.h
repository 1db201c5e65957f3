// SPDX-License-Identifier: Apache-2.0
// Runs the calls that a product recorded beside a version in its own format, on whichever function each of them means.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "core/recorded_call.h"
#include "serving/loaded_version.h"

namespace protean {

/// Each call runs WarmUpConfig::recorded_runs times; time_max is looked at between calls.
/// Returns a note for the status: `repeated 3 recorded calls, 6 runs in 41 ms`.
/// Errors: that of the reading, or of the first call that fails, with its name.
[[nodiscard]] Result<std::string> repeat_calls(LoadedVersion& version, RecordedCalls& calls, const Clock& clock);

}  // namespace protean
