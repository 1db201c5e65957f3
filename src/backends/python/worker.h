// SPDX-License-Identifier: Apache-2.0
// One worker process and the memory it shares with the server: a request goes in, an answer comes out, or the process
// is known to be of no use any more.
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
#include "backends/python/spawn.h"
#include "backends/python/wire.h"
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

/// `process`: without descriptors.  `bundle`: what bootstrap.py reads.
/// `memory_bytes_max`: see check_usage(); 0: no limit.
struct WorkerPlan {
  SpawnPlan process;
  std::string_view bundle;
  std::uint64_t memory_bytes_max = 0;
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
  /// Starts the process and hands it its descriptors.  Errors: kUnavailable, kResourceExhausted.
  static Result<std::unique_ptr<Worker>> start(const WorkerPlan& plan);

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

  [[nodiscard]] bool broken() const noexcept { return broken_.load(std::memory_order_acquire); }
  void kill() noexcept;
  /// kill(). `why`: instead of what the kernel says about its end, such as `used 7 bytes of memory, allowed are 6`.
  void end(std::string why) noexcept;
  /// Of the first end(); empty without.
  [[nodiscard]] std::string why() const;
  /// Ends it when it has more memory than it may: resident a quarter and 128 MiB above the limit, for RLIMIT_DATA does
  /// not count libraries and shared pages; or more than 1,024 threads.
  ProcessUsage check_usage();
  [[nodiscard]] const ChildProcess& process() const noexcept { return *process_; }
  [[nodiscard]] int reply_handle() const noexcept { return reply_.get(); }
  [[nodiscard]] int log_handle() const noexcept { return log_.get(); }

 private:
  Worker() = default;
  Status open_channel();
  Status start_process(const WorkerPlan& plan, Descriptor bundle, Descriptor log_end);
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
  Descriptor channel_end_;  // the worker's, until it has it
  Descriptor log_;
  Descriptor cancel_;  // an eventfd, rung when nobody waits any more
  std::unique_ptr<ChildProcess> process_;
  std::uint64_t memory_bytes_max_ = 0;
  // of the thread that sends and receives
  SharedMemory requests_;
  SharedMemory answers_;
  std::uint64_t sequence_ = 0;
  std::uint32_t descriptor_messages_ = 0;
  std::atomic<bool> broken_{false};
  mutable std::mutex mutex_;
  std::string why_;  // guarded by mutex_
};

}  // namespace protean::python
