// SPDX-License-Identifier: Apache-2.0
// The way in: makes the backend of tree ensembles. The only header of this folder that others include.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "core/model.h"

namespace protean {

/// `file_bytes_max`: larger files are refused before they are read.
struct TreesOptions {
  std::uint64_t file_bytes_max = std::uint64_t{4} << 30;
};

/// Reads the files of XGBoost, LightGBM and CatBoost; needs no library of theirs. Never fails.
[[nodiscard]] std::unique_ptr<Backend> make_trees_backend(const TreesOptions& options = {});

}  // namespace protean
