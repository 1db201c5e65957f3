// SPDX-License-Identifier: Apache-2.0
// Opening and reading with system calls, because std::filesystem can say neither "beneath this folder" nor
// "the file I have open".
#include "core/model_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <optional>
#include <system_error>
#include <vector>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kLocationBytesMax = 1024;
/// O_NONBLOCK: opening a named pipe must not wait for a writer. It changes nothing for regular files.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

std::string system_message(int error) { return std::generic_category().message(error); }

std::int64_t nanoseconds(const timespec& time) noexcept {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

FileStamp stamp_of(const struct stat& status) noexcept {
  return {static_cast<std::uint64_t>(status.st_size),
          nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim),
          static_cast<std::uint64_t>(status.st_nlink),
          static_cast<std::uint64_t>(status.st_dev),
          static_cast<std::uint64_t>(status.st_ino)};
}

int open_beneath(int folder, const std::string& location) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(kOpenFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, folder, location.c_str(), &how, sizeof how);
  // ENOSYS: older than Linux 5.6. EPERM: a container's filter that has not heard of the call.
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) return open_beneath_by_walking(folder, location);
  return static_cast<int>(fd);
}

/// Why `location` cannot be meant well, before anything is opened.
std::optional<std::string> objection(std::string_view location) {
  if (location.empty()) return "no location is given";
  if (location.size() > kLocationBytesMax) return "its location is longer than 1024 bytes";
  if (location.find('\0') != std::string_view::npos) return "its location holds a NUL byte";
  if (location.front() == '/') return "its location is absolute; expected a file inside the model's folder";
  for (const auto part : split(location, '/')) {
    if (part == "..") return "its location leads upwards; expected a file inside the model's folder";
  }
  return std::nullopt;
}

std::string refusal(std::string_view what, std::string_view location, std::string_view reason) {
  return std::string(what) + " '" + printable(location) + "': " + std::string(reason);
}

std::string open_failure(int error) {
  switch (error) {
    case ENOENT: return "no such file in the model's folder; copy it beside the model";
    case ELOOP: return "a symbolic link is on the way; put a copy of the file there";
    case EXDEV: return "leads out of the model's folder; expected a file inside";
    case ENOTDIR: return "a part of the way is not a folder";
    default: return system_message(error);
  }
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int open_beneath_by_walking(int folder, std::string_view location) {
  FileDescriptor here;
  const auto parts = split(location, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == "..") {
      errno = EXDEV;
      return -1;
    }
    const bool last = i + 1 == parts.size();
    const int flags = kOpenFlags | O_NOFOLLOW | (last ? 0 : O_DIRECTORY);
    FileDescriptor next(::openat(here.valid() ? here.get() : folder, std::string(parts[i]).c_str(), flags));
    if (!next.valid()) return -1;
    std::swap(here, next);
  }
  if (!here.valid()) {
    errno = ENOENT;
    return -1;
  }
  return ::fcntl(here.get(), F_DUPFD_CLOEXEC, 0);
}

Result<ModelFile> ModelFile::adopt(FileDescriptor fd, std::string name) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return fail(Code::kUnavailable, "'" + printable(name) + "': " + system_message(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(Code::kInvalidArgument, "'" + printable(name) + "' is not a regular file");
  }
  return ModelFile(std::move(fd), std::move(name), stamp_of(status));
}

Result<ModelFile> ModelFile::open(const std::filesystem::path& path) {
  FileDescriptor fd(::open(path.c_str(), kOpenFlags));
  if (!fd.valid()) {
    const int error = errno;
    const auto code = error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kUnavailable;
    return fail(code, "'" + printable(path.native()) + "': " + system_message(error));
  }
  return adopt(std::move(fd), path.filename().native());
}

Status ModelFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()) - out.size()) {
    return fail(Code::kInternal, "'" + printable(name_) + "': reading past 2^63 bytes");
  }
  while (!out.empty()) {
    const ssize_t count = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Code::kUnavailable, "'" + printable(name_) + "': " + system_message(errno));
    if (count == 0) {
      return fail(Code::kAborted, "'" + printable(name_) + "' became shorter while it was read: try again");
    }
    out = out.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Status ModelFile::check_unchanged() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) {
    return fail(Code::kUnavailable, "'" + printable(name_) + "': " + system_message(errno));
  }
  // The count of names is left out: replacing the file by rename takes one away and leaves the bytes alone.
  FileStamp now = stamp_of(status);
  const bool renamed = now.links != stamp_.links;
  now.links = stamp_.links;
  if (renamed) now.changed_ns = stamp_.changed_ns;
  if (now == stamp_) return {};
  return fail(Code::kAborted, "'" + printable(name_) + "' changed while it was read: try again");
}

Result<Buffer> ModelFile::read_all() const {
  Buffer bytes(static_cast<std::size_t>(size()));
  TRY_STATUS(read(0, bytes.span()));
  TRY_STATUS(check_unchanged());
  return bytes;
}

Result<ModelFolder> ModelFolder::open(const std::filesystem::path& path) {
  FileDescriptor fd(::open(path.empty() ? "." : path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return fail(Code::kUnavailable, "folder '" + printable(path.native()) + "': " + system_message(errno));
  }
  return ModelFolder(std::move(fd));
}

Result<ModelFile> ModelFolder::open_file(std::string_view location, std::string_view what) const {
  if (const auto reason = objection(location)) return fail(Code::kInvalidArgument, refusal(what, location, *reason));
  FileDescriptor fd(open_beneath(fd_.get(), std::string(location)));
  if (!fd.valid()) {
    const int error = errno;
    const bool ours = error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO || error == EAGAIN;
    return fail(ours ? Code::kUnavailable : Code::kInvalidArgument, refusal(what, location, open_failure(error)));
  }
  auto file = ModelFile::adopt(std::move(fd), std::string(location));
  if (!file) return fail(file.error().code, refusal(what, location, "not a regular file"));
  if (file->stamp().links > 1) {
    return fail(Code::kInvalidArgument,
                refusal(what, location,
                        "the file has " + std::to_string(file->stamp().links) +
                            " names (hard links), so it may belong elsewhere; put a copy there"));
  }
  return file;
}

}  // namespace protean
