// SPDX-License-Identifier: Apache-2.0
// Which requests run next, together with which others, and which are refused: a state machine without threads, locks
// or clocks, so that a simulation drives it through every history. scheduler.h gives it threads.
//
// Order within a version: priority, then earliest deadline, then arrival; once the oldest has waited for kAgedAfter,
// every kAgedEvery-th run begins with it, so that nothing waits for ever.
// Order between versions: start-time fair queueing (Goyal, Vin, Cheng, 1996) on measured run time over weight. A
// version that was idle starts at the present and has saved nothing up. With r runners, two versions that always have
// requests waiting differ in run time over weight by at most (r + 1) of their longest runs each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "serving/loaded_version.h"
#include "serving/scheduling/admission.h"
#include "serving/scheduling/batch.h"
#include "serving/scheduling/infer_call.h"

namespace protean {

/// `runners`: runs at one time, besides those that other processes carry out (Model::remote_runs).  `queue_max`:
/// requests that may wait for one version that configures nothing else. `rows_max`, `bytes_max`: rows that may wait for
/// one version, and bytes of inputs for all together (one request may always wait where nothing does).
struct DispatcherOptions {
  std::size_t runners = 1;
  std::uint32_t queue_max = 1024;
  std::uint64_t rows_max = 1 << 20;
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
};

/// A request that has come to its end: with an error, or (split ones) with the parts of its answer.
struct Answer {
  std::shared_ptr<InferCall> call;
  std::optional<Error> error;
  std::vector<std::vector<Tensor>> parts;
  RunTimes times;
};

/// What is to be done outside the lock after a step, in this order.  Kept by the caller, so that nothing is allocated.
struct Aftermath {
  std::vector<std::stop_source> stops;  // runs that nobody waits for any more
  std::vector<Answer> answers;
  std::vector<Piece> released;  // last references, dropped here rather than under the lock
  void clear() noexcept {
    stops.clear();
    answers.clear();
    released.clear();
  }
};

/// What the cost of a run of so many rows is asked by: rows mean nothing to a model without a batch dimension.
[[nodiscard]] std::uint64_t cost_rows(const LoadedVersion& version, std::uint64_t rows) noexcept;

/// Not thread-safe: one lock around all of it. Time never goes back from one step to the next.
class Dispatcher {
 public:
  static constexpr Duration kAgedAfter = std::chrono::seconds(1);
  static constexpr std::uint32_t kAgedEvery = 4;
  static constexpr Duration kProbeEvery = std::chrono::seconds(1);

  explicit Dispatcher(DispatcherOptions options) : options_(options) {}
  /// Lets go of what still waits or runs, without answering it.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Fills the ticket of a call that has been checked: arrival, deadline, priority.  Thread-safe.
  static void stamp(InferCall& call, TimePoint now) noexcept;

  /// Queues a stamped call.  Errors (the call is not queued): kUnavailable when it would miss its deadline or the
  /// dispatcher is stopping, kResourceExhausted when the queue is full - both with retry_after -, kDeadlineExceeded,
  /// kCancelled.
  [[nodiscard]] Status enqueue(std::shared_ptr<InferCall> call, TimePoint now, Aftermath& after);
  /// The next run that may start now, or nullptr. The batch stays the dispatcher's, valid until finished().
  [[nodiscard]] Batch* take(TimePoint now, Aftermath& after);
  /// The batch has run (results and run_time are filled in): what it cost is known to all later decisions. To be
  /// called before anything of it is answered.  Thread-safe.
  static void measured(const Batch& batch) noexcept;
  /// The batch has been measured and its requests, but for split ones, are answered.
  void finished(Batch& batch, TimePoint now, Aftermath& after);
  /// Nobody waits for this call any more: it leaves the queue; a run without anybody who waits is stopped.
  void cancel(InferCall& call, TimePoint now, Aftermath& after);

  /// Whether take() would return a batch.
  [[nodiscard]] bool ready(TimePoint now) const noexcept;
  /// When take() may have something to do although nothing happens meanwhile; kNever if not.
  [[nodiscard]] TimePoint next_wake() const noexcept;
  /// No more requests are queued; those that wait are no longer held back for company.
  void stop() noexcept { stopping_ = true; }
  [[nodiscard]] bool empty() const noexcept { return lanes_.empty(); }
  [[nodiscard]] std::size_t running() const noexcept { return running_.size(); }
  [[nodiscard]] std::uint64_t bytes_waiting() const noexcept { return bytes_; }

 private:
  [[nodiscard]] std::optional<Error> find_refusal(const InferCall& call, TimePoint now);
  [[nodiscard]] std::optional<Error> find_doom(const InferCall& call, TimePoint now);
  [[nodiscard]] Duration runner_free(const LoadedVersion& version, TimePoint now) const noexcept;
  [[nodiscard]] double runners_for(const LoadedVersion& version) const noexcept;
  [[nodiscard]] Forecast forecast_for(const LoadedVersion& version, WaitingWork ahead, std::uint64_t rows,
                                      TimePoint now) const;
  [[nodiscard]] bool may_start(const LoadedVersion& version, TimePoint now) const noexcept;
  [[nodiscard]] TimePoint start_time(const LoadedVersion& version) const noexcept;
  void purge(LoadedVersion& version, TimePoint now, Aftermath& after);
  void form(LoadedVersion& version, TimePoint now, Batch& batch, Aftermath& after);
  [[nodiscard]] InferCall* leader(LoadedVersion& version, TimePoint now) const noexcept;
  void add(InferCall& call, std::uint64_t rows, Batch& batch);
  void remove(InferCall& call, Error error, TimePoint now, Aftermath& after);
  void finish_piece(Piece& piece, PieceResult& result, const Batch& batch, Aftermath& after);
  void settle(Batch& batch, TimePoint now);
  void index(LoadedVersion& version);
  void unindex(LoadedVersion& version);
  void retag(LoadedVersion& version, double start_tag);
  [[nodiscard]] Batch& new_batch(TimePoint now);
  /// Whether there is a runner for the version: runs that other processes carry out need none.
  [[nodiscard]] bool has_runner(const LoadedVersion& version) const noexcept;

  const DispatcherOptions options_;
  LanePlaces lanes_;  // those with waiting requests
  double virtual_time_ = 0;
  std::uint64_t weights_ = 0;  // of lanes_
  std::uint64_t last_lane_id_ = 0;
  std::uint64_t bytes_ = 0;
  std::vector<std::unique_ptr<Batch>> running_;
  std::size_t away_ = 0;  // of running_: carried out by other processes
  std::vector<std::unique_ptr<Batch>> spare_;
  std::vector<const InferCall*> behind_;  // kept for their memory, as chosen_
  std::vector<InferCall*> chosen_;
  bool stopping_ = false;
};

}  // namespace protean
