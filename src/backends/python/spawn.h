// SPDX-License-Identifier: Apache-2.0
// Starts a process from a server full of threads: the child shares the server's memory until exec (as posix_spawn's
// does), so that nothing is copied however large the server is, and calls nothing but the kernel.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/python/descriptor.h"
#include "backends/python/sandbox.h"
#include "base/result.h"

namespace protean::python {

/// `descriptors`: become 0, 1, 2 and so on in the child; all others are closed there.
/// `folder`: the child's working directory.  `sandbox`: nullptr for none; used by one spawn at a time.
struct SpawnPlan {
  std::string program;
  std::vector<std::string> arguments;  // the program's name first
  std::vector<std::string> environment;
  std::string folder;
  std::vector<int> descriptors;
  Sandbox* sandbox = nullptr;
};

/// A running process. The kernel ends it when the thread that started it ends; its destructor ends it and waits.
/// Thread-safe.
class ChildProcess {
 public:
  ChildProcess(Descriptor handle, ::pid_t id) noexcept : handle_(std::move(handle)), id_(id) {}
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  /// Readable once the process has ended.
  [[nodiscard]] int handle() const noexcept { return handle_.get(); }
  [[nodiscard]] ::pid_t id() const noexcept { return id_; }
  void signal(int number) const noexcept;
  void kill() const noexcept { signal(SIGKILL); }
  /// `was ended by signal 9 (Killed)`, `ended with status 1`; nullopt while it runs.
  [[nodiscard]] std::optional<std::string> end_text() const;

 private:
  Descriptor handle_;
  const ::pid_t id_;
};

/// Errors: kUnavailable with the call that failed.
[[nodiscard]] Result<std::unique_ptr<ChildProcess>> spawn(const SpawnPlan& plan);

/// What /proc says of a process; zeros when it is gone. `own_bytes`: resident without what files stand behind.
struct ProcessUsage {
  std::uint64_t resident_bytes = 0;
  std::uint64_t own_bytes = 0;
  std::uint32_t threads = 0;
};
[[nodiscard]] ProcessUsage usage_of(::pid_t id);

}  // namespace protean::python
