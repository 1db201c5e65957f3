// SPDX-License-Identifier: Apache-2.0
// What a classify or regress reply is made from: a SavedModel's outputs `classes`, `scores` and `outputs`, or of any
// other model the outputs that can only be these.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/inference.h"
#include "core/model.h"

namespace protean::tfserving {

inline constexpr std::string_view kClassifyMethod = "tensorflow/serving/classify";
inline constexpr std::string_view kRegressMethod = "tensorflow/serving/regress";

/// Of each example: (label, score) for each class.
using Classes = std::vector<std::vector<std::pair<std::string, float>>>;

/// Asks for the outputs that a reply needs; what they are to it stands in their parameters.
/// `check_method`: refuse a function that is declared as something else.
/// Errors: kInvalidArgument when there are none, or too many to choose from.  Thread-safe, as all here.
[[nodiscard]] Status choose_class_outputs(const Signature& signature, bool check_method, InferRequest& request);
[[nodiscard]] Status choose_regression_output(const Signature& signature, bool check_method, InferRequest& request);

/// `request`: as the functions above left it.  Errors: kInvalidArgument for outputs of another shape or type.
[[nodiscard]] Result<Classes> read_classes(const InferRequest& request, const InferResult& result);
[[nodiscard]] Result<std::vector<float>> read_regressions(const InferResult& result);

}  // namespace protean::tfserving
