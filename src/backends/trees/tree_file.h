// SPDX-License-Identifier: Apache-2.0
// Tree models as files: which format a file has, and the way from its bytes to a spec.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "backends/trees/tree_model_spec.h"
#include "base/result.h"

namespace protean {

enum class TreeFormat : unsigned char { kXgboostJson, kXgboostUbjson, kXgboostBinary, kLightgbmText, kCatboostJson };

/// `xgboost_json` and so on: the platform that clients are told.
[[nodiscard]] std::string_view tree_format_name(TreeFormat format) noexcept;

/// How many bytes at the beginning, and at the end, recognise_tree_file() is shown.
inline constexpr std::size_t kTreeHeadBytes = 4096;
inline constexpr std::size_t kTreeTailBytes = 4096;

/// Which format a file has that begins with `head` and ends with `tail` (both whole when the file is small).
/// nullopt: none of these. A file that is cut off is still recognised, so that it can be reported as broken.
[[nodiscard]] std::optional<TreeFormat> recognise_tree_file(std::string_view head, std::string_view tail) noexcept;

/// Errors: kInvalidArgument, saying what is malformed, missing or not supported and how to mend it.
/// Memory: at most a small multiple of the bytes.
[[nodiscard]] Result<TreeModelSpec> read_tree_file(TreeFormat format, std::string_view bytes);

}  // namespace protean
