// SPDX-License-Identifier: Apache-2.0
// clone(CLONE_VM | CLONE_VFORK) with a stack of its own. Everything that allocates happens before it.
#include "backends/python/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace protean::python {
namespace {

constexpr std::size_t kStackBytes = 256 * 1024;  // the sanitizers need some
constexpr int kDescriptorsFrom = 64;             // copies out of the way of the child's own

/// What parent and child share. `failed`: the call that failed in the child.
struct Birth {
  const char* program;
  const char* folder;
  char* const* arguments;
  char* const* environment;
  const int* descriptors;
  int descriptor_count;
  Sandbox* sandbox;
  const char* failed = nullptr;
  int error = 0;
};

const char* prepare(const Birth& birth) noexcept {
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) (void)::sigaction(number, &usual, nullptr);
  if (::setsid() < 0) return "setsid";
  for (int i = 0; i < birth.descriptor_count; ++i) {
    if (::dup2(birth.descriptors[i], i) < 0) return "dup2";
  }
  // Ours are all closed by exec; this is for those that a library may have forgotten to mark.
  (void)::syscall(SYS_close_range, static_cast<unsigned>(birth.descriptor_count), ~0U, 1U << 2);
  if (::chdir(birth.folder) != 0) return "chdir";
  if (birth.sandbox != nullptr) {
    if (const char* failed = birth.sandbox->enforce(); failed != nullptr) return failed;
  }
  sigset_t none;
  sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(birth.program, birth.arguments, birth.environment);
  return "execve";
}

int child(void* argument) noexcept {
  auto& birth = *static_cast<Birth*>(argument);
  birth.failed = prepare(birth);
  birth.error = errno;
  ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const auto& text : texts) all.push_back(const_cast<char*>(text.c_str()));  // execve does not write
  all.push_back(nullptr);
  return all;
}

tl::unexpected<Error> spawn_failed(const std::string& program, const char* call, int error) {
  return fail(Code::kUnavailable, "'" + program + "' cannot be started: " + call + ": " + std::strerror(error));
}

/// The child's stack, and all signals held back while the child has none of its own handlers.
class Hatchery {
 public:
  Hatchery() {
    stack_ = ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~Hatchery() {
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    if (stack_ != MAP_FAILED) ::munmap(stack_, kStackBytes);
  }
  Hatchery(const Hatchery&) = delete;
  Hatchery& operator=(const Hatchery&) = delete;

  /// Returns when the child has executed its program or failed; -1 with errno when there is none.
  ::pid_t hatch(Birth& birth, int& handle) const noexcept {
    if (stack_ == MAP_FAILED) return -1;
    void* top = static_cast<char*>(stack_) + kStackBytes;
    return ::clone(child, top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &birth, &handle);
  }

 private:
  void* stack_ = MAP_FAILED;
  sigset_t before_{};
};

}  // namespace

Result<std::unique_ptr<ChildProcess>> spawn(const SpawnPlan& plan) {
  if (plan.sandbox != nullptr) TRY_STATUS(plan.sandbox->prepare());
  const auto arguments = pointers(plan.arguments);
  const auto environment = pointers(plan.environment);
  std::vector<Descriptor> copies;
  std::vector<int> numbers;
  for (const int descriptor : plan.descriptors) {
    copies.emplace_back(::fcntl(descriptor, F_DUPFD_CLOEXEC, kDescriptorsFrom));
    if (!copies.back().valid()) return spawn_failed(plan.program, "F_DUPFD_CLOEXEC", errno);
    numbers.push_back(copies.back().get());
  }
  Birth birth{plan.program.c_str(), plan.folder.c_str(), arguments.data(),
              environment.data(),   numbers.data(),      static_cast<int>(numbers.size()),
              plan.sandbox};
  int handle = -1;
  ::pid_t id = -1;
  int error = 0;
  {
    const Hatchery hatchery;
    id = hatchery.hatch(birth, handle);
    error = errno;
  }
  if (id < 0) return spawn_failed(plan.program, "clone", error);
  auto process = std::make_unique<ChildProcess>(Descriptor(handle), id);
  if (birth.failed != nullptr) return spawn_failed(plan.program, birth.failed, birth.error);
  return process;
}

ChildProcess::~ChildProcess() {
  kill();
  ::siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<::id_t>(handle_.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

void ChildProcess::signal(int number) const noexcept {
  (void)::syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, 0U);
}

std::optional<std::string> ChildProcess::end_text() const {
  ::siginfo_t info{};
  // The entry stays for the destructor, so that any number of threads may ask.
  const int flags = WEXITED | WNOHANG | WNOWAIT;
  if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<::id_t>(handle_.get()), &info, flags) != 0) return {};
  if (info.si_pid == 0) return {};
  if (info.si_code == CLD_EXITED) return "ended with status " + std::to_string(info.si_status);
  const char* name = ::sigdescr_np(info.si_status);
  return "was ended by signal " + std::to_string(info.si_status) + " (" + (name != nullptr ? name : "unknown") + ")";
}

ProcessUsage usage_of(::pid_t id) {
  ProcessUsage usage;
  std::ifstream status("/proc/" + std::to_string(id) + "/status");
  for (std::string line; std::getline(status, line);) {
    const auto value = [&](std::string_view key) -> std::uint64_t {
      return line.starts_with(key) ? std::strtoull(line.c_str() + key.size(), nullptr, 10) : 0;
    };
    usage.resident_bytes += value("VmRSS:") * 1024;
    usage.own_bytes += value("RssAnon:") * 1024;
    usage.threads += static_cast<std::uint32_t>(value("Threads:"));
  }
  return usage;
}

}  // namespace protean::python
