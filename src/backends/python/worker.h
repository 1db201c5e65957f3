// SPDX-License-Identifier: Apache-2.0
// A worker as one version's requests see it: the channel to its process and the memory shared through it. A request
// goes in, an answer comes out, or the worker is known to be of no use any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backends/python/answer_reader.h"
#include "backends/python/descriptor.h"
#include "backends/python/shared_memory.h"
#include "backends/python/wire.h"
#include "backends/python/worker_process.h"
#include "base/clock.h"
#include "base/result.h"

namespace protean::python {

/// Bytes that the inputs of one request, or its outputs, may have.
inline constexpr std::size_t kRegionBytesMax = std::size_t{1} << 31;

/// Takes one part of an answer; may wait. An error ends the run, which then fails with it.
using TakePart = std::function<Status(std::vector<AnswerTensor>)>;

/// `inputs`: by index in the signature; nullptr where an optional one was left out.  `id`: cut to kIdBytesMax.
/// `take_part`: of Op::kRunParts.
struct WorkerRequest {
  Op op = Op::kRun;
  std::span<const Tensor* const> inputs;
  std::span<const std::size_t> outputs;
  std::string_view id;
  TakePart take_part = {};
};

/// kWhole: the answer's tensors.  kPart: those of a part; the worker waits for next_part().  kAskedAgain: none yet, the
/// worker was given more memory.
struct WorkerReply {
  enum class Kind : unsigned char { kWhole, kPart, kAskedAgain };
  Kind kind = Kind::kWhole;
  std::vector<AnswerTensor> tensors;
};

/// Until when somebody waits for an answer, or for its first part; each further one may take as long again.
/// `cancel`: nobody waits any more.
struct Patience {
  TimePoint deadline;
  std::stop_token cancel = {};
};

/// send(), receive() and exchange() by one thread at a time; the rest is thread-safe.
class Worker {
 public:
  /// Starts a process of its own.  Errors: kUnavailable, kResourceExhausted.
  static Result<std::unique_ptr<Worker>> start(const WorkerPlan& plan);
  /// A channel to a process that others use too. `number`: as WorkerProcess::join().  `who`: `model 'm', version 1`,
  /// for the others to hear when the process was ended for its sake.  Errors: as start().
  static Result<std::unique_ptr<Worker>> join(std::shared_ptr<WorkerProcess> process, std::uint32_t number,
                                              std::string who);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Writes the request and wakes the worker.  Errors: kInvalidArgument (more than fits), kResourceExhausted; nothing
  /// was sent then.
  [[nodiscard]] Status send(const WorkerRequest& request);
  /// After reply_handle() became readable: what the worker sent, or its own refusal.
  /// Errors: as read_answer(), after which the worker is broken().
  [[nodiscard]] Result<WorkerReply> receive();
  /// Both. At the deadline, and when nobody waits any more, the run is asked to stop; one that has not stopped 50 ms
  /// after its deadline costs the worker its life.
  /// Errors: the worker's refusal; kCancelled; kDeadlineExceeded (broken() tells whether the worker was ended);
  /// kUnavailable (it ended meanwhile), after which it is broken().
  [[nodiscard]] Result<std::vector<AnswerTensor>> exchange(const WorkerRequest& request, const Patience& patience);

  [[nodiscard]] bool broken() const noexcept { return broken_.load(std::memory_order_acquire) || process_->ending(); }
  [[nodiscard]] bool shared() const noexcept { return !who_.empty(); }
  /// Of no use any more, for that reason. Ends a private process; a shared one serves the others.
  void leave(std::string why) noexcept;
  /// Ends the process. A shared one: because of `before`, this version, `after`.
  void blame(std::string_view before, std::string_view after) noexcept;
  /// Why it was left or its process ended, where that was on purpose; else empty.
  [[nodiscard]] std::string why() const;
  /// Whether it was left while its process goes on.
  [[nodiscard]] bool left() const;
  /// `its Python worker `, before what became of it.
  [[nodiscard]] std::string_view subject() const noexcept;
  [[nodiscard]] WorkerProcess& process() const noexcept { return *process_; }
  [[nodiscard]] int reply_handle() const noexcept { return reply_.get(); }

 private:
  Worker() = default;
  /// The worker's end of its socket.
  Result<Descriptor> open_channel();
  void kill() noexcept;
  Status pass(char kind, std::span<const int> descriptors);
  Status grow(SharedMemory& region, std::size_t bytes, char kind);
  void wake(RequestHeader header);
  enum class Waited : unsigned char { kReply, kEnded, kCancelled, kTime };
  [[nodiscard]] Waited wait(TimePoint until) const noexcept;
  [[nodiscard]] Result<std::vector<AnswerTensor>> await(const WorkerRequest& request, TimePoint deadline);
  [[nodiscard]] Status pass_on(const WorkerRequest& request, std::vector<AnswerTensor> part);
  void next_part(bool wanted);
  void ask_to_stop() noexcept;
  void silence() const noexcept;
  void trim() const noexcept;
  [[nodiscard]] std::span<std::byte> request_half() const noexcept { return {control_.data(), kHalfBytes}; }
  [[nodiscard]] std::span<const std::byte> answer_half() const noexcept {
    return {control_.data() + kHalfBytes, kHalfBytes};
  }

  // constant after start()
  SharedMemory control_;
  Descriptor wake_;   // the writing end of a pipe
  Descriptor reply_;  // the reading end of another
  Descriptor channel_;
  Descriptor cancel_;  // an eventfd, rung when nobody waits any more
  std::shared_ptr<WorkerProcess> process_;
  std::string who_;  // empty: the process is its own
  // of the thread that sends and receives
  SharedMemory requests_;
  SharedMemory answers_;
  std::uint64_t sequence_ = 0;
  std::uint32_t descriptor_messages_ = 0;
  std::atomic<bool> broken_{false};
  mutable std::mutex mutex_;
  std::string left_because_;  // guarded by mutex_
};

/// `its shared Python worker ` or `its Python worker `.
[[nodiscard]] std::string_view worker_subject(bool shared) noexcept;

}  // namespace protean::python
