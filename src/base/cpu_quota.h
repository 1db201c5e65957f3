// SPDX-License-Identifier: Apache-2.0
// How many cores and how much memory this process may really use: a container sees the whole host in
// /proc, and a server that sizes its threads by the host is throttled or killed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace protean {

/// Cores this process may run on by its affinity mask (sched_getaffinity), at least 1.
[[nodiscard]] unsigned affinity_cores() noexcept;

/// `reason`: where the number comes from: `8 by affinity, no CPU quota`,
/// `CPU quota 1.50 (/sys/fs/cgroup/docker/a/cpu.max), 8 by affinity`.
struct CoreCount {
  unsigned cores = 1;
  std::string reason;
};

/// The smaller of `affinity` and the CPU quota of the process's cgroup and its parents (version 2 or 1),
/// rounded up; at least 1.  `root`: where proc/ and sys/ are (tests use a folder of their own).
/// Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst.
[[nodiscard]] CoreCount count_usable_cores(const std::filesystem::path& root = "/",
                                           unsigned affinity = affinity_cores());
/// The number alone.
[[nodiscard]] unsigned usable_cores(const std::filesystem::path& root = "/", unsigned affinity = affinity_cores());

/// The smaller of physical memory and the memory limit of the process's cgroup and its parents, in bytes.
/// 0 when neither can be read.
[[nodiscard]] std::uint64_t usable_memory_bytes(const std::filesystem::path& root = "/");

}  // namespace protean
