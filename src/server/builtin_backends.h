// SPDX-License-Identifier: Apache-2.0
// The list of backends this binary was built with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/model.h"
#include "core/python_environment.h"

namespace protean {

/// `onnxruntime_library`: path of the shared library; empty to search for it.  `intra_op_threads`: in runs of models
/// that ask for none.  `pool_threads`: of the pool that models share which ask for so many; 0: as many as the former.
struct BackendOptions {
  std::string onnxruntime_library;
  int intra_op_threads = 1;
  int pool_threads = 0;
  std::string cache_folder = {};  // of optimised models; empty: none
  std::size_t cache_bytes_max = std::size_t{10} << 30;
  PythonEnvironment python = {};  // of models that name none
  std::vector<PythonEnvironment> python_environments = {};
  bool python_unpickle = false;
  std::string tensorflow_library = {};       // empty: to be looked for
  std::string tensorflow_lite_library = {};  // the same
  std::filesystem::path models = {};         // the folder served, for processes that models share
};

/// Every backend, also those whose library is missing: they then say so when asked to load. Call before other
/// threads exist.  Errors: kInvalidArgument for options a backend refuses.
[[nodiscard]] Result<std::vector<std::unique_ptr<Backend>>> make_builtin_backends(const BackendOptions& options);

}  // namespace protean
