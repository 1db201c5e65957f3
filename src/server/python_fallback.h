// SPDX-License-Identifier: Apache-2.0
// What a reader of scikit-learn's files does not understand, Python may - where the operator allows it.
#pragma once

#include <memory>

#include "backends/python/backend.h"
#include "core/model.h"

namespace protean {

/// `reader` with a second way: a file that it recognises and refuses (kInvalidArgument, kUnimplemented) is handed to
/// Python's adapter `sklearn`. When that fails too, the message has both reasons.  `python` outlives it.
[[nodiscard]] std::unique_ptr<Backend> with_python_fallback(std::unique_ptr<Backend> reader, PythonBackend& python);

}  // namespace protean
