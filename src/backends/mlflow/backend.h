// SPDX-License-Identifier: Apache-2.0
// The way in: makes the backend for MLflow's model folders. The only header of this folder that others include.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "core/model.h"

namespace protean {

/// Loads a folder with the flavor python_function; errors as Backend::load().
using PythonLoader = std::function<Result<std::unique_ptr<Model>>(const ModelFiles& files, const LoadOptions& options)>;

/// `others`: the backends that its flavors are handed to; they outlive it.  `python`: gets the whole folder where none
/// of them takes a flavor; empty: nobody does.
[[nodiscard]] std::unique_ptr<Backend> make_mlflow_backend(std::vector<Backend*> others, PythonLoader python = {});

}  // namespace protean
