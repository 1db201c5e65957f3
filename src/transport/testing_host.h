// SPDX-License-Identifier: Apache-2.0
// A SessionHost made of plain memory, for tests and fuzz targets: what would be written to a socket is taken
// from it, time is moved by hand, and tasks posted by other threads run when the test says so.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "transport/session.h"
#include "transport/transport_metrics.h"

namespace protean::testing {

/// Time that moves only when told.  Thread-safe.
class HandClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return TimePoint(Duration(ns_.load())); }
  void advance(Duration by) noexcept { ns_ += by.count(); }

 private:
  std::atomic<std::int64_t> ns_{std::chrono::nanoseconds(std::chrono::hours(1)).count()};
};

/// The thread that makes it is its loop.
class MemoryHost final : public SessionHost {
 public:
  explicit MemoryHost(RequestHandler& handler, Limits limits = {}, std::size_t memory_bytes = std::size_t{1} << 30)
      : memory_(memory_bytes), metrics_(registry_), context_{&handler, limits, &memory_, &clock_, &metrics_} {}

  [[nodiscard]] const TransportContext& context() const noexcept override { return context_; }
  [[nodiscard]] OutputQueue& output() noexcept override { return output_; }
  void flush_soon() override { ++flushes; }
  void resume_reading() override { ++resumes; }
  void post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
    arrived_.notify_one();
  }
  [[nodiscard]] bool in_loop() const noexcept override { return std::this_thread::get_id() == loop_; }
  std::uint64_t run_at(TimePoint when, std::function<void()> task) override {
    timers_.emplace(when, std::pair{++last_timer_, std::move(task)});
    return last_timer_;
  }
  void cancel_timer(std::uint64_t id) override {
    std::erase_if(timers_, [&](const auto& timer) { return timer.second.first == id; });
  }
  [[nodiscard]] const std::string& peer() const noexcept override { return peer_; }
  [[nodiscard]] bool is_tls() const noexcept override { return false; }

  /// Everything the session wants sent; it has then been sent.
  std::string take_output() {
    std::string bytes;
    while (!output_.empty()) {
      iovec vectors[16];
      const std::size_t used = output_.gather(vectors);
      std::size_t count = 0;
      for (std::size_t i = 0; i < used; ++i) {
        bytes.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
        count += vectors[i].iov_len;
      }
      output_.consume(count, clock_.now());
    }
    return bytes;
  }

  /// Runs what has been posted; true when there was anything.
  bool run_posted() {
    bool any = false;
    while (auto task = next_task(false)) {
      task();
      any = true;
    }
    return any;
  }
  /// Waits for one task posted by another thread, and runs it.
  void run_one_posted() { next_task(true)(); }

  /// Moves time, runs the timers that are due on the way, then looks at the session's deadline.
  void advance(Duration by, Session& session) {
    clock_.advance(by);
    while (!timers_.empty() && timers_.begin()->first <= clock_.now()) {
      const auto task = std::move(timers_.begin()->second.second);
      timers_.erase(timers_.begin());
      task();
    }
    if (session.deadline() <= clock_.now()) session.on_deadline(clock_.now());
  }

  [[nodiscard]] HandClock& clock() noexcept { return clock_; }
  [[nodiscard]] MemoryBudget& memory() noexcept { return memory_; }
  [[nodiscard]] std::size_t timers() const noexcept { return timers_.size(); }
  /// How often the transport refused something for this cause.
  [[nodiscard]] std::uint64_t refused(const std::string& cause) {
    return registry_.counter("protean_transport_refusals",
                             "Requests answered or cut off by the transport itself, by cause.", {{"cause", cause}})
        ->value();
  }

  int flushes = 0;
  int resumes = 0;

 private:
  std::function<void()> next_task(bool wait) {
    std::unique_lock lock(mutex_);
    if (wait) arrived_.wait(lock, [&] { return !posted_.empty(); });
    if (posted_.empty()) return nullptr;
    auto task = std::move(posted_.front());
    posted_.pop_front();
    return task;
  }

  HandClock clock_;
  MemoryBudget memory_;
  metrics::Registry registry_;
  TransportMetrics metrics_;
  TransportContext context_;
  OutputQueue output_;
  const std::thread::id loop_ = std::this_thread::get_id();
  const std::string peer_ = "192.0.2.1:4711";
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> posted_;  // guarded by mutex_
  std::multimap<TimePoint, std::pair<std::uint64_t, std::function<void()>>> timers_;
  std::uint64_t last_timer_ = 0;
};

}  // namespace protean::testing
