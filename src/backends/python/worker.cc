// SPDX-License-Identifier: Apache-2.0
// Writing requests, waiting for answers. What comes back is read by answer_reader.h.
#include "backends/python/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/checked_math.h"

namespace protean::python {
namespace {

constexpr std::size_t kRegionBytesMin = std::size_t{1} << 20;
constexpr std::size_t kKeptBytesMax = std::size_t{64} << 20;  // pages that stay between requests
constexpr Duration kWatchEvery = std::chrono::milliseconds(50);
constexpr Duration kStopsWithin = std::chrono::milliseconds(50);

/// A pipe for single bytes, whose ends never block this side. The kernel lets a pipe's reader run where its writer was
/// about to sleep, which it does not for an eventfd: 14 us there and back instead of up to 60 with an idle core.
struct Bell {
  Descriptor hear;
  Descriptor ring;
};

Result<Bell> make_bell() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return no_channel("pipe2");
  return Bell{Descriptor(ends[0]), Descriptor(ends[1])};
}

bool never_block(const Descriptor& end) noexcept { return ::fcntl(end.get(), F_SETFL, O_NONBLOCK) == 0; }

/// Where each input goes, and the bytes of all together.
Result<std::size_t> lay_out(std::span<const Tensor* const> inputs, std::vector<TensorRecord>& records) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) continue;
    const Tensor& tensor = *inputs[i];
    if (tensor.shape.size() > kRankMax) {
      return fail(Code::kInvalidArgument, "an input of " + std::to_string(tensor.shape.size()) +
                                              " dimensions, expected at most " + std::to_string(kRankMax));
    }
    TensorRecord record{};
    record.index = static_cast<std::uint32_t>(i);
    record.type = static_cast<std::uint8_t>(tensor.type);
    record.rank = static_cast<std::uint8_t>(tensor.shape.size());
    record.offset = end;
    record.bytes = tensor.data.size();
    std::copy(tensor.shape.begin(), tensor.shape.end(), record.shape);
    records.push_back(record);
    const auto next = checked_add(end, tensor.data.size() + kTensorAlignment);
    if (!next || *next > kRegionBytesMax) {
      return fail(Code::kInvalidArgument,
                  "inputs of more than " + std::to_string(kRegionBytesMax) + " bytes for a Python model");
    }
    end = *next & ~(kTensorAlignment - 1);
  }
  return end;
}

Duration time_left(TimePoint deadline) noexcept { return std::max(deadline - Clock::system().now(), Duration::zero()); }

}  // namespace

std::string_view worker_subject(bool shared) noexcept {
  return shared ? "its shared Python worker " : "its Python worker ";
}

Result<Descriptor> Worker::open_channel() {
  TRY(auto ends, make_socket_pair());
  channel_ = std::move(ends.ours);
  TRY(control_, SharedMemory::make(kControlBytes, SharedMemory::Access::kReadWrite));
  TRY(requests_, SharedMemory::make(kRegionBytesMin, SharedMemory::Access::kReadWrite));
  TRY(answers_, SharedMemory::make(kRegionBytesMin, SharedMemory::Access::kRead));
  TRY(auto wake, make_bell());
  TRY(auto reply, make_bell());
  if (!never_block(wake.ring) || !never_block(reply.hear)) return no_channel("fcntl");
  cancel_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cancel_.valid()) return no_channel("eventfd");
  const std::array descriptors = {control_.descriptor(), requests_.descriptor(), answers_.descriptor(), wake.hear.get(),
                                  reply.ring.get()};
  wake_ = std::move(wake.ring);
  reply_ = std::move(reply.hear);
  TRY_STATUS(pass(kStartMessage, descriptors));
  return std::move(ends.theirs);
}

Result<std::unique_ptr<Worker>> Worker::start(const WorkerPlan& plan) {
  std::unique_ptr<Worker> worker(new Worker);
  TRY(const auto channel_end, worker->open_channel());
  TRY(worker->process_, WorkerProcess::start(plan, channel_end));
  return worker;
}

Result<std::unique_ptr<Worker>> Worker::join(std::shared_ptr<WorkerProcess> process, std::uint32_t number,
                                             std::string who) {
  std::unique_ptr<Worker> worker(new Worker);
  TRY(const auto channel_end, worker->open_channel());
  TRY_STATUS(process->join(channel_end, number));
  worker->process_ = std::move(process);
  worker->who_ = std::move(who);
  return worker;
}

Worker::~Worker() {
  if (process_ != nullptr && shared()) process_->leave();
}

void Worker::kill() noexcept {
  broken_.store(true, std::memory_order_release);
  process_->end({});
}

void Worker::leave(std::string why) noexcept {
  broken_.store(true, std::memory_order_release);
  if (!shared()) return process_->end(std::move(why));
  const std::lock_guard lock(mutex_);
  if (left_because_.empty()) left_because_ = std::move(why);
}

void Worker::blame(std::string_view before, std::string_view after) noexcept {
  if (!shared()) return kill();
  broken_.store(true, std::memory_order_release);
  process_->end("was ended because " + std::string(before) + who_ + std::string(after));
}

std::string Worker::why() const {
  {
    const std::lock_guard lock(mutex_);
    if (!left_because_.empty()) return left_because_;
  }
  return process_->why();
}

bool Worker::left() const {
  const std::lock_guard lock(mutex_);
  return !left_because_.empty();
}

std::string_view Worker::subject() const noexcept { return worker_subject(shared()); }

Status Worker::pass(char kind, std::span<const int> descriptors) {
  TRY_STATUS(send_descriptors(channel_.get(), {&kind, 1}, descriptors));
  ++descriptor_messages_;
  return {};
}

Status Worker::grow(SharedMemory& region, std::size_t bytes, char kind) {
  if (bytes <= region.size()) return {};
  const auto access = kind == kAnswerRegionMessage ? SharedMemory::Access::kRead : SharedMemory::Access::kReadWrite;
  TRY(auto larger, SharedMemory::make(std::bit_ceil(bytes), access));
  const std::array descriptors = {larger.descriptor()};
  TRY_STATUS(pass(kind, descriptors));
  region = std::move(larger);
  return {};
}

void Worker::wake(RequestHeader header) {
  header.sequence = ++sequence_;
  header.descriptor_messages = descriptor_messages_;
  std::memcpy(request_half().data(), &header, sizeof(header));
  const char byte = 1;
  // A worker that does not hear any more has ended, or will be ended for the time it takes.
  (void)!::write(wake_.get(), &byte, 1);
}

Status Worker::send(const WorkerRequest& request) {
  thread_local std::vector<TensorRecord> records;
  records.clear();
  TRY(const auto bytes, lay_out(request.inputs, records));
  TRY_STATUS(grow(requests_, bytes, kRequestRegionMessage));
  std::byte* const control = request_half().data();
  std::size_t at = kRequestRecordsAt;
  for (const auto& record : records) {
    const Tensor& tensor = *request.inputs[record.index];
    if (record.bytes > 0) std::memcpy(requests_.data() + record.offset, tensor.data.data(), record.bytes);
    std::memcpy(control + at, &record, sizeof(record));
    at += sizeof(record);
  }
  for (const auto output : request.outputs) {
    const auto number = static_cast<std::uint32_t>(output);
    std::memcpy(control + at, &number, sizeof(number));
    at += sizeof(number);
  }
  const auto id = request.id.substr(0, kIdBytesMax);
  if (!id.empty()) std::memcpy(control + kIdAt, id.data(), id.size());
  wake({0, request.op, 0, static_cast<std::uint32_t>(records.size()),
        static_cast<std::uint32_t>(request.outputs.size()), static_cast<std::uint32_t>(id.size()), 0});
  return {};
}

Result<WorkerReply> Worker::receive() {
  std::array<char, 64> bytes;
  (void)!::read(reply_.get(), bytes.data(), bytes.size());
  const std::span<const std::byte> region(answers_.data(), answers_.size());
  auto answer = read_answer(answer_half(), region, sequence_);
  if (!answer) {
    blame({}, " answered what cannot be right");
    return tl::unexpected(std::move(answer).error());
  }
  if (answer->refusal) return tl::unexpected(*std::move(answer->refusal));
  if (!answer->bytes_needed) {
    return WorkerReply{answer->more ? WorkerReply::Kind::kPart : WorkerReply::Kind::kWhole, std::move(answer->tensors)};
  }
  const std::size_t needed = *answer->bytes_needed;
  if (needed > kRegionBytesMax || needed <= answers_.size()) {
    blame({}, " asked for more memory than there is for answers");
    return fail(needed > kRegionBytesMax ? Code::kResourceExhausted : Code::kInternal,
                "its Python worker asks for " + std::to_string(needed) + " bytes for its outputs, expected up to " +
                    std::to_string(kRegionBytesMax));
  }
  if (auto grown = grow(answers_, needed, kAnswerRegionMessage); !grown) {
    blame({}, " could not be given memory for its answer");
    return tl::unexpected(std::move(grown).error());
  }
  wake({0, Op::kSendAgain, 0, 0, 0, 0, 0});
  return WorkerReply{WorkerReply::Kind::kAskedAgain, {}};
}

void Worker::next_part(bool wanted) { wake({0, Op::kNextPart, 0, 0, 0, 0, wanted ? 0U : 1U}); }

Status Worker::pass_on(const WorkerRequest& request, std::vector<AnswerTensor> part) {
  if (request.take_part) return request.take_part(std::move(part));
  blame({}, " answered in parts, which nobody asked for");
  return fail(Code::kInternal, "its Python worker answered in parts, which nobody asked for");
}

Worker::Waited Worker::wait(TimePoint until) const noexcept {
  while (true) {
    std::array<::pollfd, 3> waiting = {
        {{reply_.get(), POLLIN, 0}, {process_->child().handle(), POLLIN, 0}, {cancel_.get(), POLLIN, 0}}};
    const auto left = time_left(until);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const ::timespec timeout{seconds.count(), (left - seconds).count()};
    const int ready = ::ppoll(waiting.data(), waiting.size(), &timeout, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Waited::kTime;
    if ((waiting[0].revents & POLLIN) != 0) return Waited::kReply;
    // Its end of the pipe is closed as well when it ends.
    if (waiting[0].revents != 0 || waiting[1].revents != 0) return Waited::kEnded;
    return Waited::kCancelled;
  }
}

void Worker::ask_to_stop() noexcept {
  const std::uint32_t yes = 1;
  std::memcpy(request_half().data() + offsetof(RequestHeader, stop), &yes, sizeof(yes));
  process_->child().signal(kStopSignal);
}

Result<std::vector<AnswerTensor>> Worker::await(const WorkerRequest& request, TimePoint deadline) {
  const Duration time_of_part = time_left(deadline);
  bool expired = false;
  Status wanted;  // or why no more parts are
  while (true) {
    switch (wait(std::min(deadline, Clock::system().now() + kWatchEvery))) {
      case Waited::kReply: {
        auto reply = receive();
        const bool over = !reply || reply->kind == WorkerReply::Kind::kWhole;
        if (over && !wanted && !broken()) return tl::unexpected(std::move(wanted).error());
        if (!reply && expired && reply.error().code == Code::kCancelled) {
          return fail(Code::kDeadlineExceeded, "the model took too long; its run was stopped");
        }
        TRY(auto got, std::move(reply));
        if (over) return std::move(got.tensors);
        if (got.kind == WorkerReply::Kind::kAskedAgain) break;
        if (wanted && !expired) {
          wanted = pass_on(request, std::move(got.tensors));
          deadline = Clock::system().now() + time_of_part;
        }
        if (!wanted && broken_.load(std::memory_order_relaxed)) return tl::unexpected(std::move(wanted).error());
        next_part(wanted && !expired);
        break;
      }
      case Waited::kEnded:
        kill();
        return fail(Code::kUnavailable, "its Python worker ended in the middle of the request");
      case Waited::kCancelled:
        // A run that does not listen goes on to its end or its deadline.
        silence();
        ask_to_stop();
        break;
      case Waited::kTime:
        if (Clock::system().now() < deadline) {
          (void)process_->check_usage();
          // Many threads and much memory take their time to go.
          if (broken()) return fail(Code::kUnavailable, "its Python worker was ended in the middle of the request");
        } else if (!expired) {
          expired = true;
          deadline += kStopsWithin;
          ask_to_stop();
        } else {
          blame("a run of ", " took too long");
          return fail(Code::kDeadlineExceeded, "the model took too long; " + std::string(subject()) + "was ended");
        }
    }
  }
}

void Worker::silence() const noexcept {
  std::uint64_t rung = 0;
  (void)!::read(cancel_.get(), &rung, sizeof(rung));
}

Result<std::vector<AnswerTensor>> Worker::exchange(const WorkerRequest& request, const Patience& patience) {
  TRY_STATUS(send(request));
  auto answer = [&] {
    const std::stop_callback left(patience.cancel, [this] {
      const std::uint64_t one = 1;
      (void)!::write(cancel_.get(), &one, sizeof(one));
    });
    return await(request, patience.deadline);
  }();
  if (patience.cancel.stop_requested()) silence();
  if (answer) trim();
  return answer;
}

void Worker::trim() const noexcept {
  if (requests_.size() > kKeptBytesMax) requests_.release_pages();
  if (answers_.size() > kKeptBytesMax) answers_.release_pages();
}

}  // namespace protean::python
