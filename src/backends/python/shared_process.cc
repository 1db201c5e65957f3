// SPDX-License-Identifier: Apache-2.0
// One loop a process's life. What happens on the channels is the business of those who joined.
#include "backends/python/shared_process.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace protean::python {
namespace {

constexpr Duration kWatchEvery = std::chrono::seconds(1);
constexpr Duration kEndKnownWithin = std::chrono::milliseconds(80);

}  // namespace

SharedProcess::SharedProcess(SharedPlan plan)
    : plan_(std::move(plan)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      log_([this](const WorkerLine& line) { write_line(line); }) {
  thread_ = std::thread([this] { run(); });
}

SharedProcess::~SharedProcess() {
  stopping_.store(true);
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

Result<std::uint32_t> SharedProcess::add(WorkerLog::Sink log) {
  const std::lock_guard lock(mutex_);
  if (here_ >= kMembersMax) {
    return fail(Code::kResourceExhausted, std::to_string(kMembersMax) + " versions share the Python worker of '" +
                                              plan_.environment + "' already, which is the most");
  }
  ++here_;
  members_.emplace(++last_number_, Member{std::move(log)});
  return last_number_;
}

void SharedProcess::remove(std::uint32_t number) {
  const std::lock_guard lock(mutex_);
  members_.at(number).here = false;
  --here_;
  if (members_.size() - here_ <= kMembersMax) return;
  members_.erase(std::ranges::find_if(members_, [](const auto& member) { return !member.second.here; }));
}

void SharedProcess::write_line(const WorkerLine& line) {
  WorkerLog::Sink member;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = members_.find(line.channel); found != members_.end()) member = found->second.log;
  }
  if (member) return member(line);
  log::write(line.level, "Python model", {{"environment", plan_.environment}, {"line", line.text}});
}

Result<std::shared_ptr<WorkerProcess>> SharedProcess::wait_for_process(const std::atomic<bool>& leaving) {
  std::unique_lock lock(mutex_);
  changed_.wait(
      lock, [&] { return leaving.load() || !cannot_start_.empty() || (process_ != nullptr && !process_->ending()); });
  if (leaving.load()) return fail(Code::kUnavailable, "the version is being unloaded");
  if (!cannot_start_.empty()) return fail(Code::kUnavailable, cannot_start_);
  return process_;
}

void SharedProcess::wake_all() {
  // Whoever waits has seen the mutex, and with it what was changed before.
  { const std::lock_guard lock(mutex_); }
  changed_.notify_all();
}

std::string SharedProcess::how_it_ended(const WorkerProcess& process) {
  std::unique_lock lock(mutex_);
  const bool known = changed_.wait_for(lock, kEndKnownWithin, [&] { return process_.get() != &process; });
  return known ? last_end_ : process.how_it_ended({});
}

TimePoint SharedProcess::next_start() const {
  const std::lock_guard lock(mutex_);
  return next_start_;
}

void SharedProcess::run() {
  ::pthread_setname_np(::pthread_self(), "protean-python");
  while (!stopping_.load()) {
    auto started = WorkerProcess::start_shared(plan_.worker);
    if (!started) {
      ended(nullptr, started.error().message);
    } else {
      {
        const std::lock_guard lock(mutex_);
        process_ = *started;
        cannot_start_.clear();
      }
      changed_.notify_all();
      live(**started);
    }
    if (!pause()) return;
  }
}

void SharedProcess::live(WorkerProcess& process) {
  bool log_closed = false;
  TimePoint watched_at = Clock::system().now();
  while (true) {
    std::array<::pollfd, 3> waiting = {{{stop_.get(), POLLIN, 0},
                                        {process.child().handle(), POLLIN, 0},
                                        {log_closed ? -1 : process.log_handle(), POLLIN, 0}}};
    const int ready =
        ::poll(waiting.data(), waiting.size(), static_cast<int>(kWatchEvery / std::chrono::milliseconds(1)));
    if (ready > 0 && waiting[0].revents != 0) {
      process.end("was ended by the server");
      return ended(&process, "was ended by the server");
    }
    if (ready > 0 && waiting[2].revents != 0) log_.read_from(process.log_handle());
    if (ready > 0 && waiting[1].revents != 0) {
      log_.read_from(process.log_handle());
      log_.flush(Clock::system().now());
      return ended(&process, process.how_it_ended(log_.last_line()));
    }
    log_closed = log_closed || (ready > 0 && (waiting[2].revents & (POLLIN | POLLHUP)) == POLLHUP);
    const TimePoint now = Clock::system().now();
    if (now < watched_at + kWatchEvery) continue;
    watched_at = now;
    log_.flush(now);
    (void)process.check_usage();
  }
}

void SharedProcess::ended(const WorkerProcess* process, std::string how) {
  const Duration pause = restart_pause_.next(process != nullptr && process->answered());
  if (!stopping_.load()) {
    log::warning("Python worker ended", {{"environment", plan_.environment}, {"reason", how}});
  }
  {
    const std::lock_guard lock(mutex_);
    if (process == nullptr) cannot_start_ = how;
    process_.reset();
    last_end_ = std::move(how);
    next_start_ = Clock::system().now() + pause;
  }
  changed_.notify_all();
}

/// Waits before the next start. Whether there is to be one.
bool SharedProcess::pause() {
  const Duration left = std::max(next_start() - Clock::system().now(), Duration::zero());
  ::pollfd waiting{stop_.get(), POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(left / std::chrono::milliseconds(1))) == 0;
}

}  // namespace protean::python
