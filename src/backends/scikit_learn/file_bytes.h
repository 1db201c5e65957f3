// SPDX-License-Identifier: Apache-2.0
// Bytes of a model file: all of them, or its two ends for a look.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/buffer.h"
#include "base/result.h"

namespace protean::sklearn {

/// `regular`: false for folders, pipes and the like, whose ends are empty.
struct FileEnds {
  bool regular = false;
  std::uint64_t size = 0;
  std::string head;
  std::string tail;
};

/// At most so many bytes of each end.  Never waits for the other end of a pipe.
/// Errors: kNotFound, kUnavailable; kAborted when the file changes meanwhile.
[[nodiscard]] Result<FileEnds> read_file_ends(const std::filesystem::path& path, std::size_t head, std::size_t tail);

/// Errors: as above; kInvalidArgument for what is no regular file or has more than `bytes_max`.
[[nodiscard]] Result<Buffer> read_file(const std::filesystem::path& path, std::uint64_t bytes_max);

}  // namespace protean::sklearn
