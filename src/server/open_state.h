// SPDX-License-Identifier: Apache-2.0
// Opens the store of aliases and history, and decides what happens when that cannot be done.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "core/store.h"

namespace protean {

/// Where aliases, held-down models and the history are kept; an empty folder: only in memory.
/// `required`: the server does not start without it; otherwise it says so and goes on without.
struct StateOptions {
  std::filesystem::path folder;
  bool required = false;
};

/// Null when nothing is to be kept, or, with a warning, when it cannot be (read-only, held by another server).
/// Errors: when it is required, and for a damaged file always: what it held must not be ignored in silence.
[[nodiscard]] Result<std::unique_ptr<Store>> open_state(const StateOptions& options);

}  // namespace protean
