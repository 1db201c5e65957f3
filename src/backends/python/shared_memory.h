// SPDX-License-Identifier: Apache-2.0
// Memory shared with a worker, without a name in the file system. Its size is sealed: a worker that could shrink it
// would end the server with SIGBUS.
#pragma once

#include <cstddef>
#include <string_view>

#include "backends/python/descriptor.h"
#include "base/result.h"

namespace protean::python {

/// A memfd and its mapping here.  Movable; the other side's mapping keeps the pages alive.
class SharedMemory {
 public:
  enum class Access : unsigned char { kRead, kReadWrite };

  SharedMemory() noexcept = default;
  /// `bytes` >= 1; rounded up to whole pages. Zero until written.  Errors: kResourceExhausted.
  static Result<SharedMemory> make(std::size_t bytes, Access access);
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  /// Requires kReadWrite to write.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] int descriptor() const noexcept { return memory_.get(); }
  /// Gives the pages back to the system; they read as zeros afterwards.
  void release_pages() const noexcept;

 private:
  Descriptor memory_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A sealed memfd that holds `text`, read from its beginning, for one reader.  Errors: kResourceExhausted.
[[nodiscard]] Result<Descriptor> memory_file(std::string_view text);

}  // namespace protean::python
