// SPDX-License-Identifier: Apache-2.0
// One line a backend. A new backend is a folder, a CMake option, and a line here.
#include "server/builtin_backends.h"

#include <algorithm>
#include <utility>

#ifdef PROTEAN_BACKEND_MLFLOW
#include "backends/mlflow/backend.h"
#endif
#ifdef PROTEAN_BACKEND_ONNXRUNTIME
#include "backends/onnxruntime/backend.h"
#endif
#ifdef PROTEAN_BACKEND_PYTHON
#include "backends/python/backend.h"
#include "server/python_fallback.h"
#endif
#ifdef PROTEAN_BACKEND_SCIKIT_LEARN
#include "backends/scikit_learn/backend.h"
#endif
#ifdef PROTEAN_BACKEND_TENSORFLOW
#include "backends/tensorflow/backend.h"
#endif
#ifdef PROTEAN_BACKEND_TENSORFLOW_LITE
#include "backends/tensorflow_lite/backend.h"
#endif
#ifdef PROTEAN_BACKEND_TREES
#include "backends/trees/backend.h"
#endif

namespace protean {
namespace {

#ifdef PROTEAN_BACKEND_TENSORFLOW
/// `onnx`: runs what is lowered; may be nullptr.
std::unique_ptr<Backend> make_tensorflow(const BackendOptions& options, Backend* onnx) {
  TensorflowOptions tensorflow;
  tensorflow.library_path = options.tensorflow_library;
  tensorflow.python = options.python.interpreter;
  tensorflow.threads = static_cast<std::uint32_t>(std::max({options.pool_threads, options.intra_op_threads, 1}));
  tensorflow.onnx = onnx;
  tensorflow.cache_folder = options.cache_folder;
  tensorflow.cache_bytes_max = options.cache_bytes_max;
  return make_tensorflow_backend(tensorflow);
}
#endif

}  // namespace

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
#ifdef PROTEAN_BACKEND_TENSORFLOW
  backends.push_back(make_tensorflow(options, backends.empty() ? nullptr : backends.front().get()));
#endif
#ifdef PROTEAN_BACKEND_TENSORFLOW_LITE
  backends.push_back(make_tensorflow_lite_backend(
      {options.tensorflow_lite_library, static_cast<std::uint32_t>(std::max(1, options.intra_op_threads))}));
#endif
#ifdef PROTEAN_BACKEND_TREES
  backends.push_back(make_trees_backend());
#endif
#ifdef PROTEAN_BACKEND_PYTHON
  TRY(auto python,
      make_python_backend({options.python, options.python_environments, options.python_unpickle, options.models}));
#endif
#ifdef PROTEAN_BACKEND_SCIKIT_LEARN
  auto scikit_learn = make_scikit_learn_backend();
#ifdef PROTEAN_BACKEND_PYTHON
  scikit_learn = with_python_fallback(std::move(scikit_learn), *python);
#endif
  backends.push_back(std::move(scikit_learn));
#endif
#ifdef PROTEAN_BACKEND_MLFLOW
  std::vector<Backend*> flavors;  // it hands models to those before it
  for (const auto& backend : backends) flavors.push_back(backend.get());
  PythonLoader load_folder;
#ifdef PROTEAN_BACKEND_PYTHON
  load_folder = [worker = python.get()](const ModelFiles& files, const LoadOptions& load) {
    return worker->load_adapter(files, load, {"pyfunc", files.path});
  };
#endif
  backends.push_back(make_mlflow_backend(std::move(flavors), std::move(load_folder)));
#endif
#ifdef PROTEAN_BACKEND_PYTHON
  backends.push_back(std::move(python));
#endif
  static_cast<void>(options);
  return backends;
}

}  // namespace protean
