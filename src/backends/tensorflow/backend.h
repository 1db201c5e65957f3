// SPDX-License-Identifier: Apache-2.0
// The way in: makes the backend for SavedModels. The only header of this folder that others include.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "core/model.h"

namespace protean {

/// `library_path`: TensorFlow's shared library or the folder that it is in, and no other; empty to look for one
/// (docs/backends/tensorflow.md).  `python`: the interpreter or environment whose packages are looked through.
/// `threads`: of the pool that all sessions share; 0: one.
/// `onnx`: runs what is lowered; nullptr: nothing is; outlives the backend.
/// `cache_folder`: where lowered models are kept; empty: nowhere.  `cache_bytes_max`: beyond it the least recently used
/// go.
struct TensorflowOptions {
  std::string library_path = {};
  std::string python = {};
  std::uint32_t threads = 0;
  Backend* onnx = nullptr;
  std::string cache_folder = {};
  std::uint64_t cache_bytes_max = std::uint64_t{10} << 30;
};

/// Looks for the library without loading it; call before there are other threads, for it sets an environment variable.
[[nodiscard]] std::unique_ptr<Backend> make_tensorflow_backend(const TensorflowOptions& options);

}  // namespace protean
