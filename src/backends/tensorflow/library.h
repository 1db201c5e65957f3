// SPDX-License-Identifier: Apache-2.0
// TensorFlow's shared library: found when the server starts, mapped when the first SavedModel needs it - it has 700 MB,
// and costs a second and a hundred megabytes of memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backends/tensorflow/c_api.h"
#include "base/result.h"

namespace protean {

/// `library_path`: the file, or a folder that it is in; empty: `from_environment` if that is not, else it is looked
/// for. `python`, `path_variable`, `library_folders`: as in core/library_search.h.
struct TensorflowSearch {
  std::string library_path = {};
  std::string from_environment = {};
  std::string python = {};
  std::string path_variable = {};
  std::vector<std::filesystem::path> library_folders = {};
};

/// `path`: empty when there is none; `tried`: then where it was looked for.
/// `version`: as far as the names of files tell it, such as `2.20.0`; may be empty.
struct FoundTensorflow {
  std::filesystem::path path;
  std::string version;
  std::string tried;
};
[[nodiscard]] FoundTensorflow find_tensorflow(const TensorflowSearch& search);

/// The library, once it is mapped; it stays until the process ends.  Thread-safe.
class TensorflowRuntime {
 public:
  /// Errors: kFailedPrecondition with the loader's words, or the name of a function that is missing.
  static Result<std::shared_ptr<const TensorflowRuntime>> load(const std::filesystem::path& path);
  [[nodiscard]] const TensorflowApi& api() const noexcept { return api_; }
  [[nodiscard]] std::string version() const { return api_.version(); }

 private:
  TensorflowApi api_;
};

/// The library whether it is mapped already or not.  Thread-safe.
class TensorflowLibrary {
 public:
  explicit TensorflowLibrary(FoundTensorflow found) : found_(std::move(found)) {}
  [[nodiscard]] bool found() const noexcept { return !found_.path.empty(); }
  /// `2.20.0`, or why there is none.
  [[nodiscard]] std::string description() const;
  /// Maps it at the first call. Errors: kFailedPrecondition, the same ones at every call.
  [[nodiscard]] Result<std::shared_ptr<const TensorflowRuntime>> get();

 private:
  const FoundTensorflow found_;
  mutable std::mutex mutex_;
  bool tried_ = false;                                                 // guarded by mutex_
  Result<std::shared_ptr<const TensorflowRuntime>> loaded_ = nullptr;  // guarded by mutex_
};

}  // namespace protean
