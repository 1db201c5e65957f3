// SPDX-License-Identifier: Apache-2.0
// Starting, ending and watching; what crosses is worker.h's.
#include "backends/python/worker_process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "backends/python/shared_memory.h"
#include "backends/python/wire.h"

namespace protean::python {
namespace {

constexpr std::size_t kDescriptorsPerMessage = 5;
constexpr std::uint32_t kThreadsMax = 1024;

constexpr std::uint64_t resident_bytes_max(std::uint64_t memory_bytes_max) noexcept {
  return memory_bytes_max + memory_bytes_max / 4 + (std::uint64_t{128} << 20);
}

}  // namespace

tl::unexpected<Error> no_channel(const char* call) {
  return fail(Code::kUnavailable, std::string("no channel to a Python worker: ") + call + ": " + std::strerror(errno));
}

Status send_descriptors(int socket, std::string_view text, std::span<const int> descriptors) {
  alignas(::cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsPerMessage * sizeof(int))> ancillary{};
  ::iovec bytes{const_cast<char*>(text.data()), text.size()};  // sendmsg does not write
  ::msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  ::cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  const auto sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<::ssize_t>(text.size())) return no_channel("sendmsg");
  return {};
}

Result<SocketPair> make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return no_channel("socketpair");
  return SocketPair{Descriptor(ends[0]), Descriptor(ends[1])};
}

Result<std::shared_ptr<WorkerProcess>> WorkerProcess::start(const WorkerPlan& plan, const Descriptor& channel) {
  std::shared_ptr<WorkerProcess> process(new WorkerProcess);
  process->memory_bytes_max_ = plan.memory_bytes_max;
  std::array<int, 2> log{};
  if (::pipe2(log.data(), O_CLOEXEC) != 0) return no_channel("pipe2");
  process->log_ = Descriptor(log[0]);
  const Descriptor log_end(log[1]);
  // The worker waits when its pipe is full; the server never does.
  if (::fcntl(log[0], F_SETFL, O_NONBLOCK) != 0) return no_channel("fcntl");
  TRY(const auto bundle, memory_file(plan.bundle));
  const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing.valid()) return no_channel("/dev/null");
  SpawnPlan spawned = plan.process;
  spawned.descriptors = {nothing.get(), log_end.get(), log_end.get(), channel.get(), bundle.get()};
  TRY(process->child_, spawn(spawned));
  return process;
}

Result<std::shared_ptr<WorkerProcess>> WorkerProcess::start_shared(const WorkerPlan& plan) {
  TRY(auto ends, make_socket_pair());
  TRY(auto process, start(plan, ends.theirs));
  process->socket_ = std::move(ends.ours);
  return process;
}

Status WorkerProcess::join(const Descriptor& channel, std::uint32_t number) {
  std::string text(1 + sizeof(number), kJoinMessage);
  std::memcpy(text.data() + 1, &number, sizeof(number));
  const std::array descriptors = {channel.get()};
  TRY_STATUS(send_descriptors(socket_.get(), text, descriptors));
  channels_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

void WorkerProcess::end(std::string why) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (why_.empty()) why_ = std::move(why);
  }
  ending_.store(true, std::memory_order_release);
  child_->kill();
}

std::string WorkerProcess::why() const {
  const std::lock_guard lock(mutex_);
  return why_;
}

std::string WorkerProcess::how_it_ended(const std::string& last_line) const {
  if (auto known = why(); !known.empty()) return known;
  std::string how = child_->end_text().value_or("ended");
  if (!last_line.empty()) how += "; the last line of its log: " + last_line;
  return how;
}

ProcessUsage WorkerProcess::check_usage() {
  const auto usage = usage_of(child_->id());
  if (memory_bytes_max_ != 0 && usage.resident_bytes > resident_bytes_max(memory_bytes_max_)) {
    end("used " + std::to_string(usage.resident_bytes) + " bytes of memory, allowed are " +
        std::to_string(memory_bytes_max_));
  } else if (usage.threads > kThreadsMax) {
    end("had " + std::to_string(usage.threads) + " threads, allowed are " + std::to_string(kThreadsMax));
  }
  return usage;
}

std::uint64_t WorkerProcess::own_bytes_each() const {
  return usage_of(child_->id()).own_bytes / std::max(channels_.load(std::memory_order_relaxed), 1U);
}

}  // namespace protean::python
