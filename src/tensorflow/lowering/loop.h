// SPDX-License-Identifier: Apache-2.0
// While as ONNX's Loop. What a loop hands on unchanged (weights, the sequence it reads) is seen from outside instead of
// being carried; a list that is written one element after the other is what Loop calls a scan output.
#pragma once

#include "tensorflow/lowering/operation.h"

namespace protean {

[[nodiscard]] LoweredValues lower_while(Operation& op);

}  // namespace protean
