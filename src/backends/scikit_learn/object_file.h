// SPDX-License-Identifier: Apache-2.0
// A model file from its bytes to its values: tells pickle, joblib and skops apart and undoes compression.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "backends/scikit_learn/pickle_value.h"
#include "backends/scikit_learn/zip_archive.h"
#include "base/buffer.h"
#include "base/result.h"

namespace protean::sklearn {

/// Owns the bytes and the nodes that are views of them.  Not movable; immutable after read().
class ObjectFile {
 public:
  /// Errors: kInvalidArgument, naming the format and what is wrong; kResourceExhausted.
  static Result<std::unique_ptr<ObjectFile>> read(Buffer bytes);

  [[nodiscard]] Value root() const { return pool_->value(root_); }
  /// `joblib, zlib` and so on, for the notes.
  [[nodiscard]] const std::string& format() const noexcept { return format_; }
  /// After decompression.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.size(); }

 private:
  ObjectFile() = default;
  Buffer bytes_;
  std::deque<ZipArchive> archives_;
  std::unique_ptr<ValuePool> pool_;
  Ref root_ = 0;
  std::string format_;
};

/// Whether the beginning of a pickle (decompressed) names scikit-learn itself, not a library that imitates it.
[[nodiscard]] bool mentions_scikit_learn(std::string_view head) noexcept;
/// Whether bytes can begin a pickle.
[[nodiscard]] bool looks_like_pickle(std::string_view head) noexcept;

}  // namespace protean::sklearn
