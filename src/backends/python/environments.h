// SPDX-License-Identifier: Apache-2.0
// From what a model asks for to the environment that its workers get.
#pragma once

#include "backends/python/backend.h"
#include "base/result.h"
#include "core/python_environment.h"

namespace protean::python {

/// Errors: kInvalidArgument for limits out of range.
[[nodiscard]] Status check_environment(const PythonEnvironment& environment);

/// The environment that `config` names, with its limits lowered; `memory_bytes_max` is what workers get; 0: nobody
/// knows how much there is. Errors: kFailedPrecondition for a name that the operator has not defined (those known are
/// named); kInvalidArgument for a limit above the environment's.
[[nodiscard]] Result<PythonEnvironment> choose_environment(const PythonOptions& options, const PythonConfig& config);

/// `environment 'torch'`, or `the default environment`.
[[nodiscard]] std::string describe(const PythonEnvironment& environment);

}  // namespace protean::python
