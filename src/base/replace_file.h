// SPDX-License-Identifier: Apache-2.0
// Writing a file so that whoever reads it, and whoever comes after a power cut, sees the old text or the new one.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace protean {

/// Writes beside the target, syncs, renames, syncs the folder. A new file gets `mode`, a replaced one keeps its own.
/// Errors: kResourceExhausted (disk full), kPermissionDenied, kUnavailable; the target is then as it was.  Thread-safe.
[[nodiscard]] Status replace_file(const std::filesystem::path& file, std::string_view text, unsigned mode = 0644);

}  // namespace protean
