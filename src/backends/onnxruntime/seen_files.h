// SPDX-License-Identifier: Apache-2.0
// Which key the files of a model had when they were last read whole. A model that has not been touched since is
// not read again: hashing 90 MB takes longer than loading them from the cache.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/model_file.h"

namespace protean {

/// A file of external data, as the model names it.
struct SeenFile {
  std::string location;
  FileStamp stamp;
};

/// What was read for one model. `read_at_ns`: the wall clock before the first of the files was opened.
struct SeenModel {
  FileStamp model;
  std::vector<SeenFile> external;
  std::int64_t read_at_ns = 0;
};

/// `environment`: what else the key depends on.
/// A file counts as the same when device, inode, size and both times are. The time of its last change is set by the
/// kernel alone; a file that was changed less than two seconds before it was read is not remembered, because a second
/// change within the clock's step would go unseen.
/// Errors: kUnavailable when the disk says no.
[[nodiscard]] Status remember_key(const std::filesystem::path& cache, std::string_view environment,
                                  const SeenModel& model, const std::string& key);

/// nullopt when these files have not been seen, or are not what they were. Opens external files as a model's are
/// always opened (ModelFolder), with the same refusals.
[[nodiscard]] std::optional<std::string> recall_key(const std::filesystem::path& cache, std::string_view environment,
                                                    const FileStamp& model, const ModelFolder& folder);

}  // namespace protean
