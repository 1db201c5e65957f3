// SPDX-License-Identifier: Apache-2.0
// The order matters: limits and capabilities first, the filter last, for it refuses some of the calls before it.
#include "backends/python/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace protean::python {
namespace {

constexpr ::rlim_t kFilesMax = 1024;
constexpr std::uint64_t kScratchFileBytesMax = std::uint64_t{1} << 30;
constexpr int kNice = 5;  // as the server's own threads that run models

bool limit(int resource, ::rlim_t most) noexcept {
  const ::rlimit wanted{most, most};
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &wanted) == 0;
}

/// When memory runs out, the kernel is to end workers and not the server.  Failing leaves it to the kernel's own
/// choice.
void offer_to_the_oom_killer() noexcept {
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)!::write(file, "1000", 4);
  ::close(file);
}

bool drop_capabilities() noexcept {
  // Without the right to (not root) the bounding set stays, and there is nothing in it that exec could give.
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

void keep_to_cores(std::uint32_t count) noexcept {
  ::cpu_set_t all;
  ::cpu_set_t some;
  CPU_ZERO(&some);
  if (::sched_getaffinity(0, sizeof(all), &all) != 0) return;
  for (int core = 0; core < CPU_SETSIZE && count > 0; ++core) {
    if (!CPU_ISSET(core, &all)) continue;
    CPU_SET(core, &some);
    --count;
  }
  (void)::sched_setaffinity(0, sizeof(some), &some);
}

}  // namespace

Sandbox::Sandbox(SystemCallFilter calls, const SandboxRules& rules)
    : rules_(rules.files),
      calls_(std::move(calls)),
      memory_bytes_max_(rules.memory_bytes_max),
      cpu_cores_max_(rules.cpu_cores_max),
      file_bytes_max_(rules.files.writable.empty() ? 0 : kScratchFileBytesMax) {
  const int version = landlock_version();
  if (version == 0) {
    missing_ = "this kernel has no Landlock: the worker can read every file that the server can read";
  } else if (version < 4 && !rules.network) {
    missing_ = "this kernel's Landlock does not cover the network: the system call filter alone does";
  }
}

Result<Sandbox> Sandbox::make(const SandboxRules& rules) {
  const bool landlock = landlock_version() > 0;
  const bool creates = !rules.files.writable.empty();
  std::error_code error;
  if (creates && !std::filesystem::is_directory(rules.files.writable, error)) {
    return fail(Code::kFailedPrecondition,
                "scratch = '" + printable(rules.files.writable.string(), 512) + "' is no folder that exists");
  }
  if (creates && !landlock) return fail(Code::kFailedPrecondition, "scratch needs Landlock, which this kernel lacks");
  Sandbox sandbox(SystemCallFilter({rules.network, landlock, creates}), rules);
  TRY_STATUS(sandbox.prepare());
  return sandbox;
}

Status Sandbox::prepare() {
  if (landlock_version() == 0) return {};
  TRY(files_, make_landlock_rules(rules_));
  return {};
}

const char* Sandbox::enforce() noexcept {
  offer_to_the_oom_killer();
  ::umask(077);
  (void)::setpriority(PRIO_PROCESS, 0, kNice);
  if (!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_FSIZE, file_bytes_max_)) return "setrlimit";
  ::rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max > kFilesMax) (void)limit(RLIMIT_NOFILE, kFilesMax);
  if (memory_bytes_max_ != 0 && !limit(RLIMIT_DATA, memory_bytes_max_)) return "setrlimit(RLIMIT_DATA)";
  if (cpu_cores_max_ != 0) keep_to_cores(cpu_cores_max_);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return "prctl(PR_SET_PDEATHSIG)";
  if (!drop_capabilities()) return "capset";
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "prctl(PR_SET_NO_NEW_PRIVS)";
  if (files_.valid()) {
    allow_own_mappings(files_.get());
    if (const int error = enforce_landlock(files_.get()); error != 0) {
      errno = error;
      return "landlock_restrict_self";
    }
  }
  if (const int error = calls_.enforce(); error != 0) {
    errno = error;
    return "seccomp";
  }
  return nullptr;
}

}  // namespace protean::python
