// SPDX-License-Identifier: Apache-2.0
// Serialized tensorflow.Examples become the tensors that ParseExample would make of them.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "core/tensor.h"
#include "tensorflow/parsed_feature.h"

namespace protean {

/// `examples`: a kBytes tensor [n], or [] where the features say that it is a single Example. One tensor for each
/// feature, [n, shape...] or [shape...], FP32, INT64 or BYTES. Features that nobody asks for are passed over. Errors:
/// kInvalidArgument in ParseExample's words for what is no Example, a feature that is missing and has no default, has
/// another type, or another number of values, and for Examples of another shape; kResourceExhausted when the tensors
/// would exceed 2 GiB. Thread-safe.  Source: TensorFlow 2.20, ParseExampleV2.
[[nodiscard]] Result<std::vector<Tensor>> decode_examples(std::span<const ParsedFeature* const> features,
                                                          const Tensor& examples);

}  // namespace protean
