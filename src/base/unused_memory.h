// SPDX-License-Identifier: Apache-2.0
// Gives memory that was freed back to the system. Allocators keep it for the next time, so a server that unloads
// a model would otherwise look as large as before, and be killed for it where memory is limited.
#pragma once

#include <cstdint>

namespace protean {

/// Takes up to milliseconds with a large heap; meant for loader threads, after something big was freed. With glibc
/// other threads may wait for their arena meanwhile; with mimalloc only the calling thread's heap is swept.
void give_back_unused_memory() noexcept;

/// Bytes of this process that no file stands behind (RssAnon of /proc/self/status); 0 when it cannot be read.
[[nodiscard]] std::uint64_t private_resident_bytes() noexcept;

}  // namespace protean
