// SPDX-License-Identifier: Apache-2.0
// Requests written down beside a model, as clients write them: to warm it up, and to explain against.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "core/inference.h"
#include "core/model.h"

namespace protean {

/// Turns one recorded request (Open Inference Protocol JSON) into the request it was.
using RequestDecoder = std::function<Result<InferRequest>(Slice json)>;

/// The request in a file of at most 64 MiB, its inputs in the form of the model's.
/// Errors: kUnavailable, kInvalidArgument; the message does not name the file.  Thread-safe, as all functions here.
[[nodiscard]] Result<InferRequest> read_recorded(const std::filesystem::path& file, const RequestDecoder& decode,
                                                 const Signature& signature);

/// The same for text that is there already.
[[nodiscard]] Result<InferRequest> decode_recorded(Slice json, const RequestDecoder& decode,
                                                   const Signature& signature);

/// The inputs in `background.json` of the first folder that has one; none without such a file or a decoder.
/// Errors: kInvalidArgument, kUnavailable, naming the file.
[[nodiscard]] Result<std::vector<InferInput>> read_background(std::span<const std::filesystem::path> folders,
                                                              const RequestDecoder& decode, const Signature& signature);

}  // namespace protean
