// SPDX-License-Identifier: Apache-2.0
// Which files are Python models, told from their text: nothing is run.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace protean::python {

/// Larger files are not looked into.
inline constexpr std::size_t kModelFileBytesMax = 1 << 20;
inline constexpr std::string_view kModelFileName = "model.py";

/// Whether `text` (a Python file) both imports `protean_worker` and defines a class with `Model` among its bases -
/// `Model`, `protean_worker.Model`, or what `Model` was imported as -, each at the beginning of a line outside of
/// strings and comments.
[[nodiscard]] bool looks_like_model(std::string_view text);

/// Whether `path` is a regular file named `model.py` that looks like a model.
/// Errors: kUnavailable or kNotFound when it cannot be read.
[[nodiscard]] Result<bool> is_python_model(const std::filesystem::path& path);

}  // namespace protean::python
