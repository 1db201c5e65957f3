// SPDX-License-Identifier: Apache-2.0
// From what a request wrote to the version that answers it. Takes no lock but the model's own for a few pointers, and
// allocates nothing when the version is there.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "serving/versions/directory.h"

namespace protean {

/// `status`: of what was written alone: kInvalidArgument when it is neither a positive number nor an alias.
/// `found.handle`: null: there is no such version, or it is not loaded; `found.wakes` says whether a load helps.
struct LookUp {
  ModelSlot::Found found;
  Status status;
};

/// `version`: a number, an alias, or empty for the default.  Thread-safe.
[[nodiscard]] LookUp look_up(const Directory& directory, std::string_view model, std::string_view version);

/// The version is used at `now`: it is not idle, and others are evicted before it.  Thread-safe.
void note_use(LoadedVersion& version, TimePoint now) noexcept;

}  // namespace protean
