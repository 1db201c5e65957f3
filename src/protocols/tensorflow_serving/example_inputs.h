// SPDX-License-Identifier: Apache-2.0
// Examples as the inputs of a model. A SavedModel's function takes them as they are, serialized; for any other model
// the features become its inputs or columns, by name.
#pragma once

#include "core/inference.h"
#include "core/model.h"
#include "protocols/tensorflow_serving/example_list.h"

namespace protean::tfserving {

/// Whether the function has one input, `inputs`, of texts: serialized examples.
[[nodiscard]] bool takes_examples(const Signature& signature) noexcept;

/// Fills `request.inputs`.  Errors: kInvalidArgument naming the feature that does not fit.
/// Thread-safe.
[[nodiscard]] Status bind_examples(const ExampleList& examples, const Signature& signature, InferRequest& request);

}  // namespace protean::tfserving
