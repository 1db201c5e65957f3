// SPDX-License-Identifier: Apache-2.0
// The way in: makes the backend of scikit-learn models. The only header of this folder that others include.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "core/model.h"

namespace protean {

/// `file_bytes_max`: larger files are refused before they are read.
struct ScikitLearnOptions {
  std::uint64_t file_bytes_max = std::uint64_t{4} << 30;
};

/// Reads pickle, joblib and skops files as data and computes what scikit-learn would; needs no Python. Never fails.
[[nodiscard]] std::unique_ptr<Backend> make_scikit_learn_backend(const ScikitLearnOptions& options = {});

}  // namespace protean
