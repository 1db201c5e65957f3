// SPDX-License-Identifier: Apache-2.0
// Whether a folder is a SavedModel, judged by the first bytes of its saved_model.pb.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace protean {

/// `head`: the first bytes of a file of `size` bytes: a SavedModel's version, then a meta graph that fits the file.
[[nodiscard]] bool looks_like_saved_model(std::string_view head, std::uint64_t size) noexcept;

/// Errors: kUnavailable when the file cannot be read.
[[nodiscard]] Result<bool> is_saved_model(const std::filesystem::path& path);

}  // namespace protean
