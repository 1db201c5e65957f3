// SPDX-License-Identifier: Apache-2.0
// Tells files of scikit-learn models from everything else by content.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace protean::sklearn {

/// A pickle (compressed or not) that names scikit-learn near its beginning, or a zip archive with a skops schema. Looks
/// at the two ends of the file; at all of it where a small one is compressed.
/// Errors: kNotFound, kUnavailable.  Thread-safe.
[[nodiscard]] Result<bool> looks_like_scikit_learn(const std::filesystem::path& path);

}  // namespace protean::sklearn
