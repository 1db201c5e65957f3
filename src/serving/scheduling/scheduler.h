// SPDX-License-Identifier: Apache-2.0
// When and where a request runs: on the thread that brought it when the model is cheaper than a hand-over,
// otherwise on a bounded executor. Expired and abandoned requests never run.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/inference.h"
#include "serving/check_request.h"
#include "serving/loaded_version.h"

namespace protean {

/// Time spent waiting for a thread, and inside the model.
struct RunTimes {
  Duration queue{};
  Duration run{};
};

/// One inference on its way through the scheduler. Owned jointly; `done` is called exactly once.
class InferCall {
 public:
  virtual ~InferCall() = default;
  /// Nobody waits for the answer any more.  Thread-safe.
  [[nodiscard]] virtual bool cancelled() const noexcept = 0;
  /// Calls `leave` once when nobody waits for the answer any more (at once if that is so already), unless the call is
  /// done before. Asked for at most once a call, and only when it has to wait or its run can be stopped.
  /// Thread-safe; `leave` runs on any thread and must not block.
  virtual void on_cancel(std::function<void()> leave) = 0;
  /// On the submitting thread or on an executor thread.
  virtual void done(Result<InferResult> result, RunTimes times) = 0;

  const InferRequest* request = nullptr;  // lives as long as the call
  VersionHandle version;

 private:
  friend class Scheduler;
  CheckedRequest checked_;
  TimePoint submitted_at_{};
};

struct SchedulerOptions {
  std::size_t threads = 1;
  /// Requests that may wait for one version; more are refused with kResourceExhausted.
  std::uint32_t queue_max = 1024;
};

/// Thread-safe.
class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options, const Clock& clock = Clock::system());
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Requires `call->request` and `call->version`.  Runs it now, queues it, or refuses it through done().
  void submit(std::shared_ptr<InferCall> call);

  /// Finishes what is queued and ends the threads; later submissions are refused.
  void stop();

 private:
  void run_executor();
  void run(InferCall& call, TimePoint started_at);
  [[nodiscard]] Status admit(const InferCall& call, TimePoint now) const;

  const SchedulerOptions options_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<InferCall>> queue_;  // guarded by mutex_
  bool stopping_ = false;                         // guarded by mutex_
  std::atomic<bool> stopped_{false};              // stopping_, readable without the lock
  std::vector<std::thread> threads_;
};

}  // namespace protean
