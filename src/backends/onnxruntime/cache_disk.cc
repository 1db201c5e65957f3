// SPDX-License-Identifier: Apache-2.0
// System calls, because std::filesystem has neither locks nor fsync.
#include "backends/onnxruntime/cache_disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/sha256.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 18;
constexpr mode_t kFileMode = 0600;

Status write_all(int fd, const std::filesystem::path& path, std::string_view content) {
  while (!content.empty()) {
    const auto count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return disk_error(path, errno);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(fd) == 0 ? Status() : Status(disk_error(path, errno));
}

bool lock(const FileDescriptor& folder, int how) noexcept { return ::flock(folder.get(), how | LOCK_NB) == 0; }

}  // namespace

tl::unexpected<Error> disk_error(const std::filesystem::path& path, int error) {
  return fail(Code::kUnavailable, "'" + printable(path.native()) + "': " + std::generic_category().message(error));
}

Result<FileDescriptor> open_folder(const std::filesystem::path& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (fd.valid()) return fd;
  if (errno == ENOENT) return fail(Code::kNotFound, "'" + printable(path.native()) + "': no such folder");
  return disk_error(path, errno);
}

Result<std::optional<ModelFile>> open_in(const FileDescriptor& folder, const std::string& name) {
  FileDescriptor fd(::openat(folder.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT) return std::optional<ModelFile>();
    return disk_error(name, errno);
  }
  TRY(auto file, ModelFile::adopt(std::move(fd), name));
  return std::optional(std::move(file));
}

bool lock_shared(const FileDescriptor& folder) noexcept { return lock(folder, LOCK_SH); }
bool lock_alone(const FileDescriptor& folder) noexcept { return lock(folder, LOCK_EX); }

Status write_file(const std::filesystem::path& path, std::string_view content) {
  const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!fd.valid()) return disk_error(path, errno);
  return write_all(fd.get(), path, content);
}

Status sync(const std::filesystem::path& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return disk_error(path, errno);
  return {};
}

Result<std::string> sha256_of(const ModelFile& file) {
  Sha256 digest;
  Buffer piece(kPieceBytes);
  for (std::uint64_t offset = 0; offset < file.size(); offset += kPieceBytes) {
    const auto part =
        piece.span().first(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, file.size() - offset)));
    TRY_STATUS(file.read(offset, part));
    digest.add(std::span<const std::byte>(part));
  }
  return digest.hex();
}

}  // namespace protean
