// SPDX-License-Identifier: Apache-2.0
// What the repository does next, as a pure function of what lies in the folder and what is loaded. Loads come
// before unloads, so that a model that gets a new version is never without one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"

namespace protean {

/// Ordered by model, then version.
using VersionKey = std::pair<std::string, std::uint64_t>;

/// A version that should be served. `unchanged_since`: when this fingerprint was first seen.
struct DesiredVersion {
  std::uint64_t fingerprint = 0;
  TimePoint unchanged_since{};
};

/// What was last done about a version. `tried`: the fingerprint of the last load, whether it worked or not.
struct ActualVersion {
  std::uint64_t tried = 0;
  bool loaded = false;
};

struct Action {
  enum class Kind : unsigned char { kLoad, kUnload } kind = Kind::kLoad;
  VersionKey key;
  friend bool operator==(const Action&, const Action&) = default;
};

struct PolicyInput {
  const std::map<VersionKey, DesiredVersion>& desired;
  const std::map<VersionKey, ActualVersion>& actual;
  TimePoint now{};
  /// Files must have been unchanged for this long before they are read: whoever copies is given time.
  Duration settle{};
};

/// The next thing to do, or nullopt when everything that can be done now is done.
/// A version is (re)loaded when it is new or its files changed and have settled; a failed load is not
/// repeated until they change again. Versions no longer desired are unloaded last.
[[nodiscard]] std::optional<Action> next_action(const PolicyInput& input);

/// When next_action() may have something to do though nothing happens meanwhile; kNever if not.
[[nodiscard]] TimePoint next_settled(const PolicyInput& input);

}  // namespace protean
