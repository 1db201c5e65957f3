// SPDX-License-Identifier: Apache-2.0
// memfd_create, seals and mmap. Source: Linux manual pages memfd_create(2), fcntl(2) "File Sealing".
#include "backends/python/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/checked_math.h"

namespace protean::python {
namespace {

constexpr std::size_t kPage = 4096;

tl::unexpected<Error> no_memory(const char* call) {
  return fail(Code::kResourceExhausted,
              std::string("no memory to share with the Python worker: ") + call + ": " + std::strerror(errno));
}

}  // namespace

Result<SharedMemory> SharedMemory::make(std::size_t bytes, Access access) {
  const auto padded = checked_add(bytes, kPage - 1);
  if (!padded || *padded > static_cast<std::size_t>(PTRDIFF_MAX)) {
    return fail(Code::kResourceExhausted, "no memory to share with the Python worker: more than 2^63 bytes");
  }
  SharedMemory made;
  made.size_ = *padded / kPage * kPage;
  made.memory_ = Descriptor(::memfd_create("protean", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!made.memory_.valid()) return no_memory("memfd_create");
  if (::ftruncate(made.memory_.get(), static_cast<off_t>(made.size_)) != 0) return no_memory("ftruncate");
  if (::fcntl(made.memory_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return no_memory("F_ADD_SEALS");
  }
  const int protection = access == Access::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
  void* data = ::mmap(nullptr, made.size_, protection, MAP_SHARED, made.memory_.get(), 0);
  if (data == MAP_FAILED) return no_memory("mmap");
  made.data_ = static_cast<std::byte*>(data);
  return made;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : memory_(std::move(other.memory_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void SharedMemory::release_pages() const noexcept {
  // Failing costs memory only.
  (void)::fallocate(memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size_));
}

Result<Descriptor> memory_file(std::string_view text) {
  Descriptor file(::memfd_create("protean", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid()) return no_memory("memfd_create");
  while (!text.empty()) {
    const auto written = ::write(file.get(), text.data(), text.size());
    if (written < 0) return no_memory("write");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return file;
}

}  // namespace protean::python
