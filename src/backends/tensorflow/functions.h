// SPDX-License-Identifier: Apache-2.0
// Which signatures of a SavedModel become functions of the model, and in which form, whatever runs them.
#pragma once

#include <string>
#include <vector>

#include "core/model.h"
#include "tensorflow/meta_graph.h"
#include "tensorflow/saved_model.h"

namespace protean {

/// One signature. `signature.inputs` and `.outputs` are in the order of `inputs` and `outputs`, which name the tensors
/// of the graph ("x:0"). `defaults`: what an input that the request leaves out has; as many as inputs, without data
/// where there is none and `optional` is false.
/// `refusal`: why it cannot be called, of one that is only declared: the initialiser, and what was left out. Else
/// empty.
struct PlannedFunction {
  Signature signature;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<Tensor> defaults;
  std::string refusal = {};
  [[nodiscard]] bool callable() const noexcept { return refusal.empty(); }
};

/// The main one (`serving_default`, else the first by name) is the first. `notes`: what was left out, and why.
struct PlannedFunctions {
  std::vector<PlannedFunction> functions;
  std::vector<std::string> notes;
};

/// Name of the signature that TensorFlow's loader runs by itself.
inline constexpr std::string_view kInitialiser = "__saved_model_init_op";

/// Errors: kInvalidArgument when there is no signature that can be served.
[[nodiscard]] Result<PlannedFunctions> plan_functions(const SavedModelFacts& facts);

}  // namespace protean
