// SPDX-License-Identifier: Apache-2.0
// Which system calls a worker may make (seccomp): no new processes, no sockets unless allowed, nothing that reaches
// other processes, the kernel's configuration or the attributes of files.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstddef>
#include <vector>

namespace protean::python {

/// `network`: sockets of IPv4, IPv6, netlink (name resolution) and Unix.
/// `writes`: files may be opened for writing as far as Landlock lets them; without Landlock set it to false.
/// `creates`: files and folders may be made, renamed and removed, likewise.
struct CallRules {
  bool network = false;
  bool writes = false;
  bool creates = false;
};

/// A program for seccomp; refused calls fail with EPERM, unknown architectures end the process.
/// Made before the worker exists; the worker's own process id, which signals may go to, is filled in by enforce().
class SystemCallFilter {
 public:
  explicit SystemCallFilter(const CallRules& rules);

  /// For the child between clone and exec: 0, or errno. Writes the calling process's id into the program.
  /// Requires no_new_privs.  Async-signal-safe.
  [[nodiscard]] int enforce() noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return program_.size(); }

 private:
  void deny(unsigned call, unsigned error);
  void deny_unless_own_process(unsigned call, bool zero_is_own);
  void deny_argument(unsigned call, unsigned argument, unsigned value);
  void deny_without_bits(unsigned call, unsigned argument, unsigned bits);
  void deny_with_bits(unsigned call, unsigned argument, unsigned bits);
  void restrict_sockets(bool network);
  void load(unsigned offset);
  void add(unsigned short code, unsigned value, unsigned char if_true, unsigned char if_false);

  std::vector<sock_filter> program_;
  std::vector<std::size_t> own_process_;  // instructions that compare with the process id
};

}  // namespace protean::python
