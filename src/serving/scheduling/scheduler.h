// SPDX-License-Identifier: Apache-2.0
// When and where a request runs: on the thread that brought it when the model is cheaper than a hand-over, otherwise
// on a bounded executor, together with others where that pays. The rules are the dispatcher's; this is its threads,
// its lock and its clock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "serving/loaded_version.h"
#include "serving/scheduling/dispatcher.h"
#include "serving/scheduling/infer_call.h"

namespace protean {

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

  /// kRefused: not on the submitting thread, which has other things to do.
  enum class Inline : unsigned char { kAllowed, kRefused };
  /// Requires `call->request` and `call->version`.  Runs it now, queues it, or refuses it through done().
  void submit(std::shared_ptr<InferCall> call, Inline here = Inline::kAllowed);

  /// Finishes what is queued and ends the threads; later submissions are refused.
  void stop();

 private:
  class Core;

  [[nodiscard]] static bool try_inline(LoadedVersion& version, const CheckedRequest& request) noexcept;
  void run_inline(InferCall& call, TimePoint started_at);

  const Clock& clock_;
  const std::shared_ptr<Core> core_;  // shared with its threads and the calls that may be cancelled
};

}  // namespace protean
