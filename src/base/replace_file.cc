// SPDX-License-Identifier: Apache-2.0
// Temporary file, fsync, rename, fsync of the folder.
#include "base/replace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/text.h"

namespace protean {
namespace {

/// 0, or errno.
int write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(descriptor) == 0 ? 0 : errno;
}

/// 0, or errno. Closes the descriptor.
int fill(int descriptor, mode_t mode, std::string_view text) noexcept {
  int error = ::fchmod(descriptor, mode) == 0 ? 0 : errno;
  if (error == 0) error = write_all(descriptor, text);
  if (::close(descriptor) != 0 && error == 0) error = errno;
  return error;
}

int sync_folder(const std::filesystem::path& folder) noexcept {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int error = ::fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  ::close(descriptor);
  return error;
}

tl::unexpected<Error> failed(const std::filesystem::path& file, int number) {
  Code code = Code::kUnavailable;
  if (number == ENOSPC || number == EDQUOT || number == EFBIG) code = Code::kResourceExhausted;
  if (number == EACCES || number == EPERM || number == EROFS) code = Code::kPermissionDenied;
  return fail(code, fmt::format("{}: cannot be written: {}", printable(file.string(), 512), std::strerror(number)));
}

}  // namespace

Status replace_file(const std::filesystem::path& file, std::string_view text, unsigned mode_of_new) {
  struct stat facts {};
  const mode_t mode = ::lstat(file.c_str(), &facts) == 0 ? facts.st_mode & 0777 : mode_of_new;
  auto folder = file.parent_path();
  if (folder.empty()) folder = ".";
  std::string beside = (folder / ("." + file.filename().string() + ".XXXXXX")).string();
  const int descriptor = ::mkostemp(beside.data(), O_CLOEXEC);
  if (descriptor < 0) return failed(file, errno);
  int error = fill(descriptor, mode, text);
  if (error == 0 && ::rename(beside.c_str(), file.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(beside.c_str());
    return failed(file, error);
  }
  if ((error = sync_folder(folder)) != 0) return failed(file, error);
  return {};
}

}  // namespace protean
