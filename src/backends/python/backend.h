// SPDX-License-Identifier: Apache-2.0
// The way in: makes the backend for Python models. The only header of this folder that others include.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/model.h"

namespace protean {

/// How workers run. They never get more than this, whatever is in the model's folder.
/// `interpreter`: a program or the folder of a virtual environment; empty: python3 on PATH.
/// `workers`: processes for each version.  `memory_bytes_max`: of each; 0: half of the usable memory.
/// `cpu_cores_max`: cores that each may use; 0: as the server.
/// `network`: they may open sockets.  `readable`: files and folders that they may read besides the model's own folder,
/// the interpreter's and the system's libraries.  `environment`: NAME=VALUE, on top of a small fixed one.
struct PythonSettings {
  std::string interpreter = {};
  std::uint32_t workers = 1;
  Duration run_time_max = std::chrono::seconds(30);
  Duration load_time_max = std::chrono::seconds(120);
  std::uint64_t memory_bytes_max = 0;
  std::uint32_t cpu_cores_max = 0;
  bool network = false;
  std::vector<std::string> readable = {};
  std::vector<std::string> environment = {};
};

/// `models`: settings for models by name, instead of `all`.
/// `unpickle`: adapters that unpickle files may be used.
struct PythonOptions {
  PythonSettings all = {};
  std::map<std::string, PythonSettings> models = {};
  bool unpickle = false;
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
