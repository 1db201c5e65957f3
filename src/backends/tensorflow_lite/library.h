// SPDX-License-Identifier: Apache-2.0
// TensorFlow Lite's C library: found and opened when the server starts (it has 4 MB).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backends/tensorflow_lite/c_api.h"
#include "base/result.h"

namespace protean {

/// Places to look in, in order. `explicit_path` (a file), or `from_environment` when that is empty, is the only one
/// when set.  `executable_folder`: where the running program is.  `library_folders`: the system's.
[[nodiscard]] std::vector<std::filesystem::path> lite_library_candidates(
    const std::string& explicit_path, const std::string& from_environment,
    const std::filesystem::path& executable_folder, const std::vector<std::filesystem::path>& library_folders);

/// Stays until the process ends.  Thread-safe.
class LiteRuntime {
 public:
  /// Errors: kFailedPrecondition; the message says where it was looked for and what was wrong there.
  static Result<std::shared_ptr<const LiteRuntime>> load(const std::vector<std::filesystem::path>& candidates);
  [[nodiscard]] const LiteApi& api() const noexcept { return api_; }
  [[nodiscard]] std::string version() const { return api_.version(); }

 private:
  LiteApi api_;
};

}  // namespace protean
