// SPDX-License-Identifier: Apache-2.0
// A model file's bytes: its ends for recognition, all of them for reading.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/buffer.h"
#include "base/result.h"

namespace protean {

/// The first and last bytes of a regular file; `regular` is false for anything else, which is not opened.
struct FileEnds {
  bool regular = false;
  std::string head;
  std::string tail;
};

/// Errors: kNotFound, kUnavailable.
[[nodiscard]] Result<FileEnds> read_file_ends(const std::filesystem::path& path, std::size_t head, std::size_t tail);

/// Errors: kNotFound, kUnavailable; kInvalidArgument when it is larger than `bytes_max` or not a regular file; kAborted
/// when it changed meanwhile.
[[nodiscard]] Result<Buffer> read_model_bytes(const std::filesystem::path& path, std::uint64_t bytes_max);

}  // namespace protean
