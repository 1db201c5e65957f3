// SPDX-License-Identifier: Apache-2.0
// All that keeps a worker in its place: files, system calls, limits. Made in the server, enforced by the child on
// itself between clone and exec, so that not one instruction of the interpreter runs outside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "backends/python/landlock.h"
#include "backends/python/system_call_filter.h"

namespace protean::python {

/// `memory_bytes_max`: writable memory of the process, 0: no limit.  `cpu_cores_max`: 0: as the server.
struct SandboxRules {
  FileRules files;
  bool network = false;
  std::uint64_t memory_bytes_max = 0;
  std::uint32_t cpu_cores_max = 0;
};

class Sandbox {
 public:
  /// Errors: kInternal when the kernel has Landlock and refuses the rules; kFailedPrecondition when a folder is to be
  /// writable that does not exist, or that only Landlock could open.
  static Result<Sandbox> make(const SandboxRules& rules);

  /// Looks up the files again, as they are now. Before each process, for rules hold on to files and not to names.
  /// Errors: kInternal.
  [[nodiscard]] Status prepare();
  /// For the child between clone and exec: nullptr, or the name of the call that failed, with errno set.
  /// Async-signal-safe.
  [[nodiscard]] const char* enforce() noexcept;
  /// What this kernel cannot do, in words; empty when it can do everything.
  [[nodiscard]] const std::string& missing() const noexcept { return missing_; }

 private:
  Sandbox(SystemCallFilter calls, const SandboxRules& rules);

  FileRules rules_;
  Descriptor files_;  // invalid without Landlock
  SystemCallFilter calls_;
  std::uint64_t memory_bytes_max_ = 0;
  std::uint32_t cpu_cores_max_ = 0;
  std::uint64_t file_bytes_max_ = 0;
  std::string missing_;
};

}  // namespace protean::python
