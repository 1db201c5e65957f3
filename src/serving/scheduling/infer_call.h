// SPDX-License-Identifier: Apache-2.0
// One inference as the scheduler holds it: what was asked, by when, who is told, and the scheduler's own notes
// about it (its ticket). Whoever submits derives from InferCall; nobody else touches the ticket.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/inference.h"
#include "serving/check_request.h"

namespace protean {

class InferCall;
struct LoadedVersion;

/// A place in a lane's queue, ordered by deadline, then arrival.
struct QueuePlace {
  TimePoint deadline = kNever;
  std::uint64_t sequence = 0;
  std::shared_ptr<InferCall> call;
  friend bool operator<(const QueuePlace& a, const QueuePlace& b) noexcept {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
  }
};
using QueuePlaces = std::set<QueuePlace>;

/// What the pieces of a split request have brought so far.
struct SplitParts {
  std::vector<std::vector<Tensor>> parts;  // by piece; empty until it ran
  std::optional<Error> error;              // of the first piece that failed
  std::uint32_t open = 0;                  // pieces that are running
  RunTimes times;
};

/// Where a call is.
///
///   kNew --enqueue--> kQueued --take--> kRunning --finished--> kAnswered
///     |                  |                                        ^
///     +-- refused -------+-- expired, cancelled ------------------+
///
/// A call that is split stays kQueued until its last piece has been taken.
enum class CallState : unsigned char { kNew, kQueued, kRunning, kAnswered };

/// Guarded by the scheduler's lock once the call is queued, but for what is atomic.
struct CallTicket {
  CheckedRequest checked;
  TimePoint arrived_at{};
  TimePoint deadline = kNever;
  std::uint64_t group = 0;  // only calls of one group share a run; 0: runs alone
  std::uint32_t level = 0;  // priority, 0 first
  CallState state = CallState::kNew;
  bool rides_on_estimate = false;  // admitted because its finish was predicted in time
  std::uint64_t rows_taken = 0;
  std::unique_ptr<SplitParts> split;
  QueuePlaces::iterator place;
  InferCall* older = nullptr;
  InferCall* newer = nullptr;
  std::atomic<bool> cancelled{false};
};

/// One inference on its way through the scheduler. Owned jointly; `done` is called exactly once.
class InferCall {
 public:
  InferCall() = default;
  virtual ~InferCall() = default;
  InferCall(const InferCall&) = delete;
  InferCall& operator=(const InferCall&) = delete;
  /// Nobody waits for the answer any more.  Thread-safe.
  [[nodiscard]] virtual bool cancelled() const noexcept = 0;
  /// Calls `leave` once when nobody waits for the answer any more (at once if that is so already), unless the call is
  /// done before. Asked for at most once a call, and only when it has to wait or its run can be stopped.
  /// Thread-safe; `leave` runs on any thread and must not block.
  virtual void on_cancel(std::function<void()> leave) = 0;
  /// On the submitting thread, on an executor thread, or on the thread that cancelled.
  virtual void done(Result<InferResult> result, RunTimes times) = 0;

  const InferRequest* request = nullptr;  // lives as long as the call
  /// What runs in place of Model::run() and answers by itself, such as an explanation: alone, on the executor, counted
  /// as one row and never as what the model costs. done() follows with a result without tensors.  Empty: the model.
  std::function<Status(const CheckedRequest& request, const std::stop_token& cancel)> job;
  std::shared_ptr<LoadedVersion> version;
  CallTicket ticket;  // the scheduler's own
};

}  // namespace protean
