// SPDX-License-Identifier: Apache-2.0
// A worker's process: its limits, its output, why it was ended. One channel leads into a private one, one for each
// version into one that models share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "backends/python/descriptor.h"
#include "backends/python/spawn.h"
#include "base/result.h"

namespace protean::python {

/// `process`: without descriptors.  `bundle`: what bootstrap.py reads.
/// `memory_bytes_max`: see check_usage(); 0: no limit.
struct WorkerPlan {
  SpawnPlan process;
  std::string_view bundle;
  std::uint64_t memory_bytes_max = 0;
};

/// Thread-safe.
class WorkerProcess {
 public:
  /// `channel`: the worker's end of its socket.  Errors: kUnavailable, kResourceExhausted.
  static Result<std::shared_ptr<WorkerProcess>> start(const WorkerPlan& plan, const Descriptor& channel);
  /// One that waits for join(): its program has `shared` as an argument.  Errors: as start().
  static Result<std::shared_ptr<WorkerProcess>> start_shared(const WorkerPlan& plan);

  /// Hands it a further channel, served by a thread of its own. `number`: stands in that thread's log lines.
  /// Requires start_shared().  Errors: kUnavailable.
  [[nodiscard]] Status join(const Descriptor& channel, std::uint32_t number);
  void leave() noexcept { channels_.fetch_sub(1, std::memory_order_relaxed); }

  /// Kills it. `why`: instead of what the kernel says about its end, such as `used 7 bytes of memory, allowed are 6`;
  /// the first that is not empty counts.
  void end(std::string why) noexcept;
  [[nodiscard]] bool ending() const noexcept { return ending_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string why() const;
  /// why(), or what the kernel says and the last line of its log.
  [[nodiscard]] std::string how_it_ended(const std::string& last_line) const;

  /// Ends it when it has more memory than it may: resident a quarter and 128 MiB above the limit, for RLIMIT_DATA does
  /// not count libraries and shared pages; or more than 1,024 threads.
  ProcessUsage check_usage();
  /// Own bytes of memory, in equal parts for its channels.
  [[nodiscard]] std::uint64_t own_bytes_each() const;

  void note_answered() noexcept { answered_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool answered() const noexcept { return answered_.load(std::memory_order_relaxed); }
  [[nodiscard]] const ChildProcess& child() const noexcept { return *child_; }
  [[nodiscard]] int log_handle() const noexcept { return log_.get(); }

 private:
  WorkerProcess() = default;

  // constant after start
  Descriptor socket_;  // of a shared one
  Descriptor log_;
  std::unique_ptr<ChildProcess> child_;
  std::uint64_t memory_bytes_max_ = 0;

  std::atomic<std::uint32_t> channels_{0};
  std::atomic<bool> ending_{false};
  std::atomic<bool> answered_{false};
  mutable std::mutex mutex_;
  std::string why_;  // guarded by mutex_
};

/// A message with descriptors, at most 5; never waits.  Errors: kUnavailable.
[[nodiscard]] Status send_descriptors(int socket, std::string_view text, std::span<const int> descriptors);

/// Both ends of a socket whose messages stay apart.  Errors: kUnavailable.
struct SocketPair {
  Descriptor ours;
  Descriptor theirs;
};
[[nodiscard]] Result<SocketPair> make_socket_pair();

/// kUnavailable for a call that failed, with errno.
[[nodiscard]] tl::unexpected<Error> no_channel(const char* call);

}  // namespace protean::python
