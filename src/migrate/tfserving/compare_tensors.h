// SPDX-License-Identifier: Apache-2.0
// Two TensorProtos element by element, whichever of their encodings each uses: raw bytes, or the list of its type,
// whose last value stands for all that follow.
#pragma once

#include "migrate/difference.h"

namespace tensorflow {
class TensorProto;
}

namespace protean::migrate {

/// kDtype, kShape; then each element: floats (half and bfloat16 too) within `tolerance`, everything else exactly. The
/// same elements in another encoding are of kind kFormat: a client that reads one list only would notice.
/// Source: tensorflow/core/framework/tensor.proto.
void compare_tensors(Comparison& out, const Path& path, const tensorflow::TensorProto& from,
                     const tensorflow::TensorProto& to, double tolerance);

}  // namespace protean::migrate
