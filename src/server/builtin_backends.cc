// SPDX-License-Identifier: Apache-2.0
// One line a backend. A new backend is a folder, a CMake option, and a line here.
#include "server/builtin_backends.h"

#ifdef PROTEAN_BACKEND_ONNXRUNTIME
#include "backends/onnxruntime/backend.h"
#endif

namespace protean {

Result<std::vector<std::unique_ptr<Backend>>> make_builtin_backends(const BackendOptions& options) {
  std::vector<std::unique_ptr<Backend>> backends;
#ifdef PROTEAN_BACKEND_ONNXRUNTIME
  OnnxRuntimeOptions onnxruntime_options;
  onnxruntime_options.library_path = options.onnxruntime_library;
  onnxruntime_options.intra_op_threads = options.intra_op_threads;
  onnxruntime_options.pool_threads = options.pool_threads;
  onnxruntime_options.cache_folder = options.cache_folder;
  onnxruntime_options.cache_bytes_max = options.cache_bytes_max;
  TRY(auto onnxruntime, make_onnxruntime_backend(onnxruntime_options));
  backends.push_back(std::move(onnxruntime));
#endif
  static_cast<void>(options);
  return backends;
}

}  // namespace protean
