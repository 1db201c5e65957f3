// SPDX-License-Identifier: Apache-2.0
// TensorFlow's record files: one message after another, each with its length and two checksums.
// Source: section 9 of the description of TensorFlow Serving's protocol (warm-up).
#pragma once

#include <cstdint>
#include <optional>

#include "base/buffer.h"
#include "base/result.h"
#include "core/model_file.h"

namespace protean::tfserving {

/// Reads one record at a time, so that memory holds one of them.  One thread at a time.
class RecordFile {
 public:
  explicit RecordFile(ModelFile file) noexcept : file_(std::move(file)) {}

  /// The next record; nullopt at the end of the file.
  /// Errors: kInvalidArgument for a wrong checksum, a record that is cut off or longer than 256 MiB; those of
  /// ModelFile::read(). The message says at which byte.
  [[nodiscard]] Result<std::optional<Slice>> next();
  /// Records that next() has returned.
  [[nodiscard]] std::uint64_t read() const noexcept { return read_; }

 private:
  ModelFile file_;
  std::uint64_t at_ = 0;
  std::uint64_t read_ = 0;
};

}  // namespace protean::tfserving
