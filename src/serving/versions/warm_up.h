// SPDX-License-Identifier: Apache-2.0
// Runs a freshly loaded model before requests reach it: lazily built kernels, arenas and page faults are paid here,
// and a model that loads but cannot run is found out.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/inference.h"
#include "serving/loaded_version.h"
#include "serving/versions/recorded_file.h"

namespace protean {

/// `folders`: where a `warmup/` with `*.json` may lie: the version's folder and its model's.
/// `decode`: null: recorded requests are not read.  `replayed`: recent requests of the version before, newest first.
struct WarmUpSources {
  std::vector<std::filesystem::path> folders;
  RequestDecoder decode;
  std::vector<std::shared_ptr<const InferRequest>> replayed;
};

/// Runs `version.model` with generated, recorded and replayed inputs, as version.config says - one that is stateful
/// with recorded ones alone; time_max is looked at between runs.  Returns notes for the status: `warmed by 2 generated,
/// 3 recorded, 8 replayed runs in 41 ms`. Errors: that of the run that failed, with the input named. A generated input
/// that the model refuses (kInvalidArgument) is only noted, and so is a replayed one that does not fit the new
/// signature.
[[nodiscard]] Result<std::vector<std::string>> warm_up(LoadedVersion& version, const WarmUpSources& sources,
                                                       const Clock& clock);

}  // namespace protean
