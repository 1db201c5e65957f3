// SPDX-License-Identifier: Apache-2.0
// The program by hand: a list of calls, each compared with the call's number. The kernel answers calls whose verdict
// does not depend on arguments from a bitmap, so the list's length costs nothing where it matters.
#include "backends/python/system_call_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace protean::python {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the system call filter knows x86-64 and AArch64"
#endif

constexpr unsigned kX32Bit = 0x40000000;
constexpr unsigned kCallAt = offsetof(seccomp_data, nr);
constexpr unsigned kArchitectureAt = offsetof(seccomp_data, arch);

/// Low half of an argument.
constexpr unsigned argument_at(unsigned argument) {
  return static_cast<unsigned>(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
}

/// Refused whatever their arguments. Grouped by what they would reach.
constexpr std::array kDenied = {
    // other processes
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_tkill,
    SYS_pidfd_send_signal,
    SYS_pidfd_getfd,
    SYS_process_madvise,
    SYS_migrate_pages,
    SYS_move_pages,
    SYS_setpriority,
    SYS_sched_setscheduler,
    SYS_sched_setparam,
    SYS_sched_setattr,
    SYS_ioprio_set,
    // ways around this filter, and the kernel's rarely visited corners
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_personality,
    SYS_fanotify_init,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_lookup_dcookie,
    SYS_vhangup,
    SYS_quotactl,
    SYS_acct,
    // namespaces and mounts
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_move_mount,
    SYS_open_tree,
    SYS_mount_setattr,
    // the machine
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_syslog,
    // memory that limits do not count, and its names
    SYS_memfd_create,
    SYS_shmget,
    SYS_shmat,
    SYS_semget,
    SYS_msgget,
    SYS_mq_open,
    // attributes of files, which Landlock does not cover
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_truncate,
    // special files and links
    SYS_mknodat,
    SYS_symlinkat,
    SYS_linkat,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_memfd_secret
    SYS_memfd_secret,
#endif
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_mknod,
    SYS_symlink,
    SYS_link,
    SYS_creat,
#endif
};

/// Making, renaming and removing files: where nothing is writable, nobody has to ask Landlock.
constexpr std::array kCreating = {
    SYS_mkdirat, SYS_unlinkat, SYS_renameat2,
#if defined(__x86_64__)
    SYS_mkdir,   SYS_unlink,   SYS_rmdir,     SYS_rename, SYS_renameat,
#endif
};

constexpr long kFchmodat2 = 452;  // newer than the headers
constexpr long kOpenTreeAttributes = 467;
constexpr long kFileSetAttributes = 469;
constexpr long kSetXattrAt = 463;
constexpr long kRemoveXattrAt = 466;

}  // namespace

void SystemCallFilter::add(unsigned short code, unsigned value, unsigned char if_true, unsigned char if_false) {
  program_.push_back({code, if_true, if_false, value});
}

void SystemCallFilter::load(unsigned offset) { add(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0); }

void SystemCallFilter::deny(unsigned call, unsigned error) {
  add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error, 0, 0);
}

void SystemCallFilter::deny_unless_own_process(unsigned call, bool zero_is_own) {
  add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, static_cast<unsigned char>(zero_is_own ? 6 : 5));
  load(argument_at(0));
  if (zero_is_own) add(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
  own_process_.push_back(program_.size());
  add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
  load(kCallAt);
}

void SystemCallFilter::deny_argument(unsigned call, unsigned argument, unsigned value) {
  add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
  load(argument_at(argument));
  add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
  load(kCallAt);
}

void SystemCallFilter::deny_without_bits(unsigned call, unsigned argument, unsigned bits) {
  add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
  load(argument_at(argument));
  add(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
  load(kCallAt);
}

void SystemCallFilter::deny_with_bits(unsigned call, unsigned argument, unsigned bits) {
  add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
  load(argument_at(argument));
  add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
  load(kCallAt);
}

void SystemCallFilter::restrict_sockets(bool network) {
  if (!network) return deny(SYS_socket, EPERM);
  constexpr std::array kFamilies = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  add(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, static_cast<unsigned char>(kFamilies.size() + 3));
  load(argument_at(0));
  for (std::size_t i = 0; i < kFamilies.size(); ++i) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(kFamilies[i]),
        static_cast<unsigned char>(kFamilies.size() - i), 0);
  }
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
  load(kCallAt);
}

SystemCallFilter::SystemCallFilter(const CallRules& rules) {
  load(kArchitectureAt);
  add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
  load(kCallAt);
#if defined(__x86_64__)
  add(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, 0, 1);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
#endif
  for (const long call : kDenied) deny(static_cast<unsigned>(call), EPERM);
  for (const long call : {kFchmodat2, kOpenTreeAttributes, kFileSetAttributes, kSetXattrAt, kRemoveXattrAt}) {
    deny(static_cast<unsigned>(call), EPERM);
  }
  if (!rules.creates) {
    for (const long call : kCreating) deny(static_cast<unsigned>(call), EPERM);
  }
  deny(SYS_clone3, ENOSYS);  // its flags lie in memory; the C library then uses clone
  deny_without_bits(SYS_clone, 0, CLONE_THREAD);
  for (const long call : {SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo}) {
    deny_unless_own_process(static_cast<unsigned>(call), false);
  }
  deny_unless_own_process(SYS_prlimit64, true);
  deny_unless_own_process(SYS_sched_setaffinity, true);
  deny_argument(SYS_prctl, 0, PR_SET_PDEATHSIG);
  restrict_sockets(rules.network);
  if (!rules.writes) {
    constexpr unsigned kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    deny_with_bits(SYS_openat, 2, kWriting);
    deny(SYS_openat2, ENOSYS);
#if defined(__x86_64__)
    deny_with_bits(SYS_open, 1, kWriting);
#endif
  }
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

int SystemCallFilter::enforce() noexcept {
  const auto own = static_cast<unsigned>(::getpid());
  for (const auto instruction : own_process_) program_[instruction].k = own;
  sock_fprog program{static_cast<unsigned short>(program_.size()), program_.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &program) == 0 ? 0 : errno;
}

}  // namespace protean::python
