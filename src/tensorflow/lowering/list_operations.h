// SPDX-License-Identifier: Apache-2.0
// Between TensorLists and the tensors that stand for them.
#pragma once

#include "tensorflow/lowering/operation.h"

namespace protean {

/// A list whose elements are the rows of `stack`.
[[nodiscard]] Value list_from(const Value& stack);
/// The rows of a list that has a tensor. Requires value.list and, where it is reserved, a name.
[[nodiscard]] Value stack_of(const Value& list);
/// Number of elements: int64, one element.
[[nodiscard]] Value list_length(Build& build, const Value& list);

}  // namespace protean
