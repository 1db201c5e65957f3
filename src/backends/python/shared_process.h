// SPDX-License-Identifier: Apache-2.0
// The process of an environment whose models share one, and the thread that keeps it alive: it starts the process,
// reads its output, watches its memory, and after its end starts the next, as a WorkerSlot does for a private one.
// Versions join each process anew, through slots of their own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "backends/python/restart_pause.h"
#include "backends/python/sandbox.h"
#include "backends/python/worker_log.h"
#include "backends/python/worker_process.h"
#include "base/clock.h"
#include "base/result.h"

namespace protean::python {

/// `sandbox`: what worker.process.sandbox points to.  `environment`: its name.
struct SharedPlan {
  std::shared_ptr<Sandbox> sandbox;
  WorkerPlan worker;
  std::string environment;
};

/// Lives while somebody holds it; its destructor ends the process.  Thread-safe.
class SharedProcess {
 public:
  static constexpr std::size_t kMembersMax = 128;  // each costs the process six of its 1,024 descriptors

  explicit SharedProcess(SharedPlan plan);
  ~SharedProcess();
  SharedProcess(const SharedProcess&) = delete;
  SharedProcess& operator=(const SharedProcess&) = delete;

  /// A number for a version, whose log lines go to `log` from then on.  Errors: kResourceExhausted.
  [[nodiscard]] Result<std::uint32_t> add(WorkerLog::Sink log);
  /// Lines that it has written before still go where they belong.
  void remove(std::uint32_t number);

  /// Waits for one that lives.  Errors: kUnavailable: it cannot be started, or `leaving` became true before wake_all().
  [[nodiscard]] Result<std::shared_ptr<WorkerProcess>> wait_for_process(const std::atomic<bool>& leaving);
  void wake_all();
  /// Of one that has ended; waits up to 80 ms until the thread has read its last words.
  [[nodiscard]] std::string how_it_ended(const WorkerProcess& process);
  /// As Sandbox::missing().
  [[nodiscard]] const std::string& missing() const noexcept { return plan_.sandbox->missing(); }
  /// When the next start is due.
  [[nodiscard]] TimePoint next_start() const;

 private:
  struct Member {
    WorkerLog::Sink log;
    bool here = true;
  };

  void run();
  void live(WorkerProcess& process);
  void ended(const WorkerProcess* process, std::string how);
  void write_line(const WorkerLine& line);
  [[nodiscard]] bool pause();

  const SharedPlan plan_;
  const Descriptor stop_;  // an eventfd
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::map<std::uint32_t, Member> members_;  // those that have left lately, too
  std::size_t here_ = 0;                     // those that have not
  std::uint32_t last_number_ = 0;
  std::shared_ptr<WorkerProcess> process_;
  std::string cannot_start_;  // why the last start failed
  std::string last_end_;
  TimePoint next_start_{};

  // of the thread
  WorkerLog log_;
  RestartPause restart_pause_;
  std::thread thread_;
};

}  // namespace protean::python
