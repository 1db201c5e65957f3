// SPDX-License-Identifier: Apache-2.0
// Tells ONNX files from everything else by content, from a few hundred bytes wherever the file is large.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"

namespace protean {

/// Fills the span from the byte at the offset on; asked only for bytes below the size.
using ReadAt = std::function<Status(std::uint64_t offset, std::span<std::byte> out)>;

/// Whether `size` bytes begin as an ONNX ModelProto does: known fields with their wire types, a format
/// version, and a graph that begins with known fields. A file that is cut off is still recognised when what
/// is there says so, so that it can be reported as broken instead of being ignored.
/// Reads at most 256 pieces of 512 bytes.  Errors: those of `read`.  Thread-safe when `read` is.
[[nodiscard]] Result<bool> looks_like_onnx(std::uint64_t size, const ReadAt& read);

}  // namespace protean
