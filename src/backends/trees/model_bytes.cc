// SPDX-License-Identifier: Apache-2.0
// Opening without waiting for anybody (a named pipe would), reading by place, and asking afterwards whether the file is
// still the one that was opened.
#include "backends/trees/model_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <system_error>

#include "base/text.h"

namespace protean {
namespace {

/// An open file and what it was like when opened.
class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : name_(printable(path.filename().native())),
        fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {
    if (fd_ < 0 || ::fstat(fd_, &status_) != 0) error_ = errno;
  }
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] Status opened() const {
    if (error_ == 0) return {};
    return failed(error_ == ENOENT || error_ == ENOTDIR ? Code::kNotFound : Code::kUnavailable, error_);
  }
  [[nodiscard]] bool regular() const noexcept { return S_ISREG(status_.st_mode); }
  [[nodiscard]] std::uint64_t size() const noexcept { return static_cast<std::uint64_t>(status_.st_size); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  [[nodiscard]] Status read(std::uint64_t offset, std::span<char> out) const {
    while (!out.empty()) {
      const ssize_t count = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failed(Code::kUnavailable, errno);
      if (count == 0)
        return fail(Code::kAborted, fmt::format("'{}' became shorter while it was read: try again", name_));
      out = out.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }

  [[nodiscard]] Status unchanged() const {
    struct stat now {};
    if (::fstat(fd_, &now) != 0) return failed(Code::kUnavailable, errno);
    const auto& then = status_;
    if (now.st_size == then.st_size && now.st_mtim.tv_sec == then.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == then.st_mtim.tv_nsec) {
      return {};
    }
    return fail(Code::kAborted, fmt::format("'{}' changed while it was read: try again", name_));
  }

 private:
  [[nodiscard]] tl::unexpected<Error> failed(Code code, int error) const {
    return fail(code, fmt::format("'{}': {}", name_, std::generic_category().message(error)));
  }
  const std::string name_;
  const int fd_;
  int error_ = 0;
  struct stat status_ {};
};

}  // namespace

Result<FileEnds> read_file_ends(const std::filesystem::path& path, std::size_t head, std::size_t tail) {
  const OpenFile file(path);
  TRY_STATUS(file.opened());
  FileEnds ends;
  ends.regular = file.regular();
  if (!ends.regular) return ends;
  ends.head.resize(static_cast<std::size_t>(std::min<std::uint64_t>(head, file.size())));
  ends.tail.resize(static_cast<std::size_t>(std::min<std::uint64_t>(tail, file.size())));
  TRY_STATUS(file.read(0, ends.head));
  TRY_STATUS(file.read(file.size() - ends.tail.size(), ends.tail));
  return ends;
}

Result<Buffer> read_model_bytes(const std::filesystem::path& path, std::uint64_t bytes_max) {
  const OpenFile file(path);
  TRY_STATUS(file.opened());
  if (!file.regular()) return fail(Code::kInvalidArgument, fmt::format("'{}' is not a regular file", file.name()));
  if (file.size() > bytes_max) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' has {} bytes, expected at most {}", file.name(), file.size(), bytes_max));
  }
  Buffer bytes(static_cast<std::size_t>(file.size()));
  TRY_STATUS(file.read(0, {reinterpret_cast<char*>(bytes.data()), bytes.size()}));
  TRY_STATUS(file.unchanged());
  return bytes;
}

}  // namespace protean
