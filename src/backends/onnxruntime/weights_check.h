// SPDX-License-Identifier: Apache-2.0
// Whether a graph that the library saved finds all its weights in the file beside it. A full disk leaves files
// that are too short, and memory that is mapped past a file's end kills the process which reads it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace protean {

/// What vector instructions may ask for; ONNX Runtime's own allocators align as much.
inline constexpr std::uint64_t kWeightsAlignment = 64;

/// `graph`: a ModelProto; every tensor in it that is stored outside must be in `file`, which has `bytes` bytes, and so
/// must what the library packed for its kernels. Each must begin at a multiple of kWeightsAlignment.
/// Errors: kDataLoss with the tensor that is not there.
[[nodiscard]] Status check_weights(std::string_view graph, std::string_view file, std::uint64_t bytes);

}  // namespace protean
