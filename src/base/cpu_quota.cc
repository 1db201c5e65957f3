// SPDX-License-Identifier: Apache-2.0
// Reads the cgroup files. A quota may stand at any level above the process, so every level is read; what is
// missing or malformed counts as no limit.
#include "base/cpu_quota.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

/// First line of a small file; empty when it cannot be read.
std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// Where one controller's files of this process may be, innermost folder first.
std::vector<fs::path> levels(const fs::path& mount, std::string_view cgroup) {
  std::vector<fs::path> found;
  fs::path inside = fs::path(cgroup).lexically_normal().relative_path();
  // A path that leaves the namespace (`/../..`) is not visible here: only the mount's own root is.
  if (!inside.empty() && *inside.begin() == "..") inside.clear();
  for (; !inside.empty(); inside = inside.parent_path()) found.push_back(mount / inside);
  found.push_back(mount);
  return found;
}

struct Controller {
  std::string_view name;  // of version 1
  fs::path root;
};

/// All folders, of both versions, that may limit this process.
std::vector<fs::path> folders(const Controller& controller) {
  const fs::path mounts = controller.root / "sys/fs/cgroup";
  std::vector<fs::path> all;
  const auto add = [&](const fs::path& mount, std::string_view cgroup) {
    for (auto& level : levels(mount, cgroup)) all.push_back(std::move(level));
  };
  std::ifstream in(controller.root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    // `0::/path` for version 2, `4:cpu,cpuacct:/path` for version 1; a path may hold further colons.
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const std::string_view cgroup = std::string_view(line).substr(second + 1);
    if (names.empty()) {
      add(mounts, cgroup);
      add(mounts / "unified", cgroup);
      continue;
    }
    const auto list = split(names, ',');
    if (std::find(list.begin(), list.end(), controller.name) == list.end()) continue;
    add(mounts / names, cgroup);
    if (names != controller.name) add(mounts / controller.name, cgroup);
  }
  return all;
}

/// Quota in thousandths of a core.
std::optional<std::uint64_t> millicores(std::string_view quota, std::string_view period) {
  const auto q = parse_uint64(quota);
  const auto p = parse_uint64(period);
  constexpr std::uint64_t kUsMax = 1'000'000'000'000;  // keeps the product below within 64 bits
  if (!q || !p || *q == 0 || *p == 0 || *q > kUsMax) return std::nullopt;
  return std::max<std::uint64_t>(1, *q * 1000 / *p);
}

}  // namespace

unsigned affinity_cores() noexcept {
  // The kernel refuses a mask smaller than its own, so the mask grows until it fits.
  for (int cores = 1024; cores <= 1 << 20; cores *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cores));
    if (set == nullptr) return 1;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cores));
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return static_cast<unsigned>(std::max(count, 1));
  }
  return 1;
}

CoreCount count_usable_cores(const fs::path& root, unsigned affinity) {
  affinity = std::max(affinity, 1U);
  std::optional<std::uint64_t> quota;
  std::string place;
  const auto bound = [&](std::optional<std::uint64_t> found, const fs::path& file) {
    if (!found || (quota && *quota <= *found)) return;
    quota = found;
    place = "/" + file.lexically_relative(root).string();
  };
  for (const auto& folder : folders({"cpu", root})) {
    const std::string version_2 = first_line(folder / "cpu.max");  // `150000 100000` or `max 100000`
    if (const auto parts = split(version_2, ' '); parts.size() == 2) {
      bound(millicores(parts[0], parts[1]), folder / "cpu.max");
    }
    bound(millicores(first_line(folder / "cpu.cfs_quota_us"), first_line(folder / "cpu.cfs_period_us")),
          folder / "cpu.cfs_quota_us");
  }
  if (!quota) return {affinity, fmt::format("{} by affinity, no CPU quota", affinity)};
  const std::uint64_t least = std::min(*quota, std::uint64_t{affinity} * 1000);
  return {static_cast<unsigned>((least + 999) / 1000),
          fmt::format("CPU quota {:.2f} ({}), {} by affinity", static_cast<double>(*quota) / 1000,
                      printable(place, 200), affinity)};
}

unsigned usable_cores(const fs::path& root, unsigned affinity) { return count_usable_cores(root, affinity).cores; }

std::uint64_t usable_memory_bytes(const fs::path& root) {
  std::uint64_t least = 0;
  const auto bound = [&](std::optional<std::uint64_t> bytes) {
    if (bytes && *bytes != 0 && (least == 0 || *bytes < least)) least = *bytes;
  };
  std::ifstream meminfo(root / "proc/meminfo");
  for (std::string line; std::getline(meminfo, line);) {
    const auto parts = split(line, ' ');  // `MemTotal:  24000000 kB`
    if (parts.size() != 3 || parts[0] != "MemTotal:") continue;
    if (const auto kib = parse_uint64(parts[1]); kib && *kib < (std::uint64_t{1} << 50)) bound(*kib * 1024);
  }
  const bool physical_known = least != 0;
  for (const auto& folder : folders({"memory", root})) {
    bound(parse_uint64(first_line(folder / "memory.max")));
    const auto version_1 = parse_uint64(first_line(folder / "memory.limit_in_bytes"));
    // Version 1 writes "no limit" as the largest multiple of a page; without physical memory to compare with,
    // such a figure must not pass for memory.
    if (physical_known || (version_1 && *version_1 < (std::uint64_t{1} << 62))) bound(version_1);
  }
  return least;
}

}  // namespace protean
