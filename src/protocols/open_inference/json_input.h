// SPDX-License-Identifier: Apache-2.0
// One tensor of a request body in JSON, or announced there and lying behind it.
#pragma once

#include <cstddef>

#include "core/inference.h"
#include "protocols/open_inference/json_members.h"

namespace protean {

/// The binary tensors behind the JSON, handed out in order.
struct BinaryPart {
  const Slice& body;
  std::size_t next;
};

/// Which element of `inputs`, and what it becomes.
struct InputPlace {
  std::size_t index;
  InferInput& input;
};

/// Reads `{"name", "shape", "datatype", "data", "parameters"}`, in whatever order they come.
/// Errors: kInvalidArgument `inputs[1] 'x': ...`, kUnimplemented for shared memory.  Thread-safe.
[[nodiscard]] Status read_json_input(Members& members, simdjson::ondemand::object object, const InputPlace& place,
                                     BinaryPart& binary);

}  // namespace protean
