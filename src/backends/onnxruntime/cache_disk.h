// SPDX-License-Identifier: Apache-2.0
// The few things the cache asks of the file system, each with its error told by path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/model_file.h"

namespace protean {

/// kUnavailable: `'path': No space left on device`, of `error` (an errno).
[[nodiscard]] tl::unexpected<Error> disk_error(const std::filesystem::path& path, int error);

/// Opens a folder for locking and for names beneath it.  Errors: kNotFound, kUnavailable.
[[nodiscard]] Result<FileDescriptor> open_folder(const std::filesystem::path& path);

/// A regular file in `folder`, no link followed; nullopt when there is none.  Errors: kUnavailable.
[[nodiscard]] Result<std::optional<ModelFile>> open_in(const FileDescriptor& folder, const std::string& name);

/// An advisory lock (flock) on an open folder, gone with its descriptor; false when somebody else's is in the way.
[[nodiscard]] bool lock_shared(const FileDescriptor& folder) noexcept;
[[nodiscard]] bool lock_alone(const FileDescriptor& folder) noexcept;

/// Makes `path`, mode 0600, in place of nothing; brings it to the disk.  Errors: kUnavailable.
[[nodiscard]] Status write_file(const std::filesystem::path& path, std::string_view content);
/// fsync of a file or a folder.  Errors: kUnavailable.
[[nodiscard]] Status sync(const std::filesystem::path& path);

/// Of all bytes, read in pieces.  Errors: those of ModelFile::read().
[[nodiscard]] Result<std::string> sha256_of(const ModelFile& file);

}  // namespace protean
