// SPDX-License-Identifier: Apache-2.0
// The way in: makes the backend for Python models. The only header of this folder that others include.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/model.h"
#include "core/python_environment.h"

namespace protean {

/// `all`: what models get that name no environment.  `unpickle`: adapters that unpickle files may be used.
/// `models`: the folder that all models lie in, opened to processes that models share; empty: not known.
struct PythonOptions {
  PythonEnvironment all = {};
  std::vector<PythonEnvironment> environments = {};
  bool unpickle = false;
  std::filesystem::path models = {};
};

/// A file of a library's own that a worker loads through an adapter of the package instead of a `model.py`.
/// `name`: `sklearn` (a pickle or joblib file) or `pyfunc` (an MLflow model folder).  `path`: that file or folder,
/// inside ModelFiles::folder.
struct PythonAdapter {
  std::string name;
  std::filesystem::path path;
};

/// Thread-safe.
class PythonBackend : public Backend {
 public:
  /// For backends that found something only Python can run.
  /// Errors: as load(), and kFailedPrecondition when unpickling is not allowed.
  [[nodiscard]] virtual Result<std::unique_ptr<Model>> load_adapter(const ModelFiles& files, const LoadOptions& options,
                                                                    const PythonAdapter& adapter) = 0;
};

/// The interpreter is looked for and asked when the first model is loaded.
/// Errors: kInvalidArgument for options out of range.
[[nodiscard]] Result<std::unique_ptr<PythonBackend>> make_python_backend(const PythonOptions& options);

}  // namespace protean
