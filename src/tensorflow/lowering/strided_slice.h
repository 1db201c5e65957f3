// SPDX-License-Identifier: Apache-2.0
// StridedSlice has a file of its own: its masks are a small language.
#pragma once

#include "tensorflow/lowering/operation.h"

namespace protean {

/// Constant strides; begin and end may be computed.  Source: the masks of tf.strided_slice.
[[nodiscard]] LoweredValues lower_strided_slice(Operation& op);

}  // namespace protean
