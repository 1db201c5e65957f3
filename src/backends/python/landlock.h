// SPDX-License-Identifier: Apache-2.0
// Which files a worker may open, as the kernel enforces it (Landlock), prepared before the worker exists.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "backends/python/descriptor.h"
#include "base/result.h"

namespace protean::python {

/// `readable`: files, and folders with all below them. `executable`: files that may be run. What does not exist is
/// left out. `writable`: a folder in which files and folders may be made, changed and removed; empty: none. `network`:
/// TCP and abstract Unix sockets are not restricted by Landlock.
struct FileRules {
  std::vector<std::filesystem::path> readable;
  std::vector<std::filesystem::path> executable;
  std::filesystem::path writable;
  bool network = false;
};

/// Version of the kernel's interface; 0 when it has none or it is switched off.
[[nodiscard]] int landlock_version() noexcept;

/// A ruleset to enforce with `landlock_restrict_self`: nothing is allowed but `rules`, /dev/null, and reading
/// /dev/zero, /dev/random and /dev/urandom. Signals to processes outside are denied where the kernel can (version 6).
/// Errors: kInternal.
/// Requires landlock_version() > 0.  Source: Linux, Documentation/userspace-api/landlock.rst.
[[nodiscard]] Result<Descriptor> make_landlock_rules(const FileRules& rules);

/// For the child between clone and exec: lets it read the list of its own mappings, which libraries look through for
/// each other; known only once there is a process. Without /proc nothing is allowed.  Async-signal-safe.
void allow_own_mappings(int rules) noexcept;

/// For the child between clone and exec: 0, or errno.  Async-signal-safe.
[[nodiscard]] int enforce_landlock(int rules) noexcept;

}  // namespace protean::python
