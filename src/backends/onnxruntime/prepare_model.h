// SPDX-License-Identifier: Apache-2.0
// Turns the bytes of an ONNX file into the bytes that ONNX Runtime is given: external data moved inside, so
// that the runtime opens no file, and ZipMap outputs turned into the tensors of scores they were made from.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/onnxruntime/model_facts.h"
#include "backends/onnxruntime/seen_files.h"
#include "base/buffer.h"
#include "base/result.h"
#include "core/model_file.h"

namespace protean {

/// No protobuf message is larger, and ONNX Runtime reads nothing else.
inline constexpr std::uint64_t kModelBytesMax = (std::uint64_t{1} << 31) - 1;

/// `bytes`: a ModelProto without external data. `external_bytes`: how many of them came from other files, which are
/// `external_files`.
struct PreparedModel {
  Buffer bytes;
  ModelFacts facts;
  std::uint64_t external_bytes = 0;
  std::vector<SeenFile> external_files;
};

/// `file`: a whole ONNX file; `folder`: where its external data may be.
/// Every tensor is looked at, wherever it hides: initializers, sparse ones, attributes of nodes, subgraphs,
/// functions (used or not), training graphs.
/// Errors: kInvalidArgument when the model is broken, or asks for data that it may not or cannot have;
/// kAborted when a file changed meanwhile; kUnavailable when one cannot be read.  Throws std::bad_alloc.
[[nodiscard]] Result<PreparedModel> prepare_model(Buffer file, const ModelFolder& folder);

}  // namespace protean
