// SPDX-License-Identifier: Apache-2.0
// Spelling of version states.
#include "core/operation.h"

namespace protean {

std::string_view version_state_name(VersionState state) noexcept {
  switch (state) {
    case VersionState::kLoading: return "LOADING";
    case VersionState::kReady: return "READY";
    case VersionState::kUnloading: return "UNLOADING";
    case VersionState::kUnavailable: return "UNAVAILABLE";
    case VersionState::kAsleep: return "ASLEEP";
  }
  return "UNKNOWN";
}

}  // namespace protean
