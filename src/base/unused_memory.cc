// SPDX-License-Identifier: Apache-2.0
// The allocator is chosen when the program is linked, so mimalloc's function is looked for weakly.
#include "base/unused_memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

extern "C" void mi_collect(bool force) __attribute__((weak));

namespace protean {

void give_back_unused_memory() noexcept {
  if (mi_collect != nullptr) mi_collect(true);
  ::malloc_trim(0);
}

std::uint64_t private_resident_bytes() noexcept {
  const int fd = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 4096> text{};
  const auto size = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (size <= 0) return 0;
  const char* line = std::strstr(text.data(), "\nRssAnon:");
  return line == nullptr ? 0 : std::strtoull(line + std::strlen("\nRssAnon:"), nullptr, 10) * 1024;
}

}  // namespace protean
