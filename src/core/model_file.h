// SPDX-License-Identifier: Apache-2.0
// Files of a model, opened once and read by place, and the folder that no path inside a model leads out of.
// The libraries behind the backends never open a file of their own: what a model may read is decided here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/buffer.h"
#include "base/result.h"

namespace protean {

/// Owns a file descriptor.  Movable.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

/// What tells whether a file changed while it was read.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  std::uint64_t links = 1;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileStamp&) const = default;
};

/// A regular file open for reading.  Movable; one thread at a time.
class ModelFile {
 public:
  /// Follows links. Never waits for the other end of a pipe.
  /// Errors: kNotFound; kInvalidArgument when it is not a regular file; kUnavailable when it cannot be read.
  static Result<ModelFile> open(const std::filesystem::path& path);
  /// Takes over an open descriptor; `name` is for messages.
  static Result<ModelFile> adopt(FileDescriptor fd, std::string name);

  [[nodiscard]] std::uint64_t size() const noexcept { return stamp_.size; }
  [[nodiscard]] const FileStamp& stamp() const noexcept { return stamp_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Fills `out` from byte `offset` on.
  /// Errors: kAborted when the file has become shorter, kUnavailable when reading fails.
  [[nodiscard]] Status read(std::uint64_t offset, std::span<std::byte> out) const;
  /// Errors: kAborted when size or times differ from those at opening.
  [[nodiscard]] Status check_unchanged() const;
  /// read() of everything, then check_unchanged().
  [[nodiscard]] Result<Buffer> read_all() const;

 private:
  ModelFile(FileDescriptor fd, std::string name, const FileStamp& stamp) noexcept
      : fd_(std::move(fd)), name_(std::move(name)), stamp_(stamp) {}

  FileDescriptor fd_;
  std::string name_;
  FileStamp stamp_;
};

/// The folder of a model.  Thread-safe after construction.
class ModelFolder {
 public:
  /// Errors: kUnavailable when it cannot be opened.
  static Result<ModelFolder> open(const std::filesystem::path& path);

  /// `location`: relative, as a model writes it. No `..`, no link of any kind on the way, a regular file with
  /// one name (a hard link may lead anywhere, and nothing tells).
  /// `what`: how messages call the file.
  /// Errors: kInvalidArgument, for whatever reason it is refused or missing; kUnavailable.
  [[nodiscard]] Result<ModelFile> open_file(std::string_view location, std::string_view what = "external data") const;

 private:
  explicit ModelFolder(FileDescriptor fd) noexcept : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

/// The way of open_file() on kernels without openat2(2): component by component, following nothing.
/// Returns a descriptor, or -1 with errno set.
[[nodiscard]] int open_beneath_by_walking(int folder, std::string_view location);

}  // namespace protean
