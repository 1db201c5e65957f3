// SPDX-License-Identifier: Apache-2.0
// The way in: makes the backend for TensorFlow Lite files. The only header of this folder that others include.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "core/model.h"

namespace protean {

/// `library_path`: libtensorflowlite_c.so, and no other; empty to look for one (docs/backends/tensorflow.md).
/// `threads`: inside a run, of models that ask for none.
struct TensorflowLiteOptions {
  std::string library_path = {};
  std::uint32_t threads = 1;
};

/// Without a library the backend exists all the same: it recognises models and says what is missing.
[[nodiscard]] std::unique_ptr<Backend> make_tensorflow_lite_backend(const TensorflowLiteOptions& options);

}  // namespace protean
