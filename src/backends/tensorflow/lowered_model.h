// SPDX-License-Identifier: Apache-2.0
// The functions of a SavedModel as ONNX models, which another backend runs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/tensorflow/functions.h"
#include "backends/tensorflow/lowered_file.h"
#include "core/model.h"
#include "tensorflow/saved_model.h"

namespace protean {

/// `backend`: reads ONNX files.  `why`: why TensorFlow itself does not run it, for the notes.
struct LoweringPlan {
  const ModelFiles* files = nullptr;
  const LoadOptions* options = nullptr;
  const SavedModelFacts* facts = nullptr;
  Backend* backend = nullptr;
  const LoweredFiles* lowered = nullptr;
  std::string why = {};
};

/// The main function of `planned`, with the others behind take_functions(); functions of the same tensors share one
/// ONNX model. Others that do not lower are left out with a note.
/// Errors: those of lower_saved_model() and of the ONNX backend for the main function.
[[nodiscard]] Result<std::unique_ptr<Model>> load_lowered(const LoweringPlan& plan, PlannedFunctions planned);

}  // namespace protean
