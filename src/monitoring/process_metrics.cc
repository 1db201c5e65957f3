// SPDX-License-Identifier: Apache-2.0
// Reads /proc/self and a few system calls. Done at each scrape, never in between.
#include "monitoring/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"

namespace protean {
namespace {

/// What `/proc/self/stat` tells, with the numbers that proc(5) gives its fields.
struct ProcessStat {
  double threads = 0;         // 20
  double start_ticks = 0;     // 22, since boot
  double virtual_bytes = 0;   // 23
  double resident_pages = 0;  // 24
};

ProcessStat read_stat() {
  std::ifstream in("/proc/self/stat");
  std::string line;
  std::getline(in, line);
  // Field 2 is the program's name in parentheses and may hold anything; the rest begins with field 3.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  const auto fields = split(std::string_view(line).substr(name_end + 1), ' ');
  const auto field = [&](std::size_t number) {
    const std::size_t index = number - 3;
    return index < fields.size() ? static_cast<double>(parse_uint64(fields[index]).value_or(0)) : 0.0;
  };
  return {field(20), field(22), field(23), field(24)};
}

/// Seconds since 1970 at which the machine started.
double boot_time() {
  std::ifstream in("/proc/stat");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("btime ")) return static_cast<double>(parse_uint64(line.substr(6)).value_or(0));
  }
  return 0;
}

double open_descriptors() {
  // Since Linux 6.2 the folder's size is the count; older kernels say 0 and want it read.
  struct stat folder {};
  if (::stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) return static_cast<double>(folder.st_size);
  DIR* entries = ::opendir("/proc/self/fd");
  if (entries == nullptr) return 0;
  double count = -3;  // `.`, `..` and the descriptor that reads the folder
  while (::readdir(entries) != nullptr) ++count;
  ::closedir(entries);
  return count;
}

double cpu_seconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double limit_of(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                         : static_cast<double>(limit.rlim_cur);
}

struct Figures {
  std::shared_ptr<metrics::Gauge> cpu, resident, virtual_memory, virtual_max, open_fds, max_fds, threads, start;
  double boot = boot_time();

  void refresh() const {
    const ProcessStat stat = read_stat();
    cpu->set(cpu_seconds());
    resident->set(stat.resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    virtual_memory->set(stat.virtual_bytes);
    virtual_max->set(limit_of(RLIMIT_AS));
    open_fds->set(open_descriptors());
    max_fds->set(limit_of(RLIMIT_NOFILE));
    threads->set(stat.threads);
    start->set(boot + stat.start_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  }
};

}  // namespace

void add_process_metrics(metrics::Registry& registry) {
  registry
      .gauge("protean_build_info", "Always 1; the label tells the version that runs.", {{"version", PROTEAN_VERSION}})
      ->set(1);
  Figures figures{
      .cpu = registry.outside_counter("process_cpu_seconds", "User and system CPU time of the process."),
      .resident = registry.gauge("process_resident_memory_bytes", "Memory of the process that is in RAM."),
      .virtual_memory = registry.gauge("process_virtual_memory_bytes", "Address space of the process."),
      .virtual_max = registry.gauge("process_virtual_memory_max_bytes", "Limit of the address space (ulimit -v)."),
      .open_fds = registry.gauge("process_open_fds", "Open file descriptors."),
      .max_fds = registry.gauge("process_max_fds", "Limit of open file descriptors (ulimit -n)."),
      .threads = registry.gauge("process_threads", "Threads of the process."),
      .start = registry.gauge("process_start_time_seconds", "Start of the process, in seconds since 1970 UTC.")};
  registry.on_snapshot([figures] { figures.refresh(); });
}

}  // namespace protean
