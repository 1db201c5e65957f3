// SPDX-License-Identifier: Apache-2.0
// What a session's tests and fuzzers need instead of a server: a host without a socket, a clock that is moved by
// hand, and a handler that answers as it is told.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/exchange.h"
#include "transport/session.h"
#include "transport/transport_metrics.h"

namespace protean::testing {

/// Stands still until it is moved.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return now_; }
  void advance(Duration by) noexcept { now_ += by; }

 private:
  TimePoint now_{std::chrono::hours(1)};
};

/// A connection made of memory. The thread that makes it is its loop.
class MemoryHost final : public SessionHost {
 public:
  explicit MemoryHost(const TransportContext& context, bool tls = false) : context_(context), tls_(tls) {}

  [[nodiscard]] const TransportContext& context() const noexcept override { return context_; }
  [[nodiscard]] OutputQueue& output() noexcept override { return output_; }
  void flush_soon() override { ++flushes_; }
  void resume_reading() override { ++flushes_; }
  void post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  [[nodiscard]] bool in_loop() const noexcept override { return std::this_thread::get_id() == thread_; }
  std::uint64_t run_at(TimePoint when, std::function<void()> task) override {
    timers_.emplace(++last_timer_, std::pair(when, std::move(task)));
    return last_timer_;
  }
  void cancel_timer(std::uint64_t id) override { timers_.erase(id); }
  [[nodiscard]] const std::string& peer() const noexcept override { return peer_; }
  [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::kDefault; }
  [[nodiscard]] bool is_tls() const noexcept override { return tls_; }

  /// Runs what other threads have posted.
  void run_posted() {
    while (true) {
      std::deque<std::function<void()>> tasks;
      {
        const std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
      }
      if (tasks.empty()) return;
      for (auto& task : tasks) task();
    }
  }
  /// Runs the timers that are due by the context's clock.
  void run_timers() {
    while (true) {
      const auto due = std::find_if(timers_.begin(), timers_.end(),
                                    [this](const auto& t) { return t.second.first <= context_.clock->now(); });
      if (due == timers_.end()) return;
      const auto task = std::move(due->second.second);
      timers_.erase(due);
      task();
    }
  }
  /// Everything in the output, as if a socket had taken it.
  std::string take_output() {
    std::string taken;
    while (!output_.empty()) {
      std::array<iovec, 16> vectors;
      const std::size_t used = output_.gather(vectors);
      std::size_t count = 0;
      for (std::size_t i = 0; i < used; ++i) {
        taken.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
        count += vectors[i].iov_len;
      }
      output_.consume(count, context_.clock->now());
    }
    return taken;
  }
  [[nodiscard]] std::size_t timers() const noexcept { return timers_.size(); }
  [[nodiscard]] int flushes() const noexcept { return flushes_; }

 private:
  const TransportContext& context_;
  const std::thread::id thread_ = std::this_thread::get_id();
  const std::string peer_ = "192.0.2.1:1234";
  const bool tls_;
  OutputQueue output_;
  std::map<std::uint64_t, std::pair<TimePoint, std::function<void()>>> timers_;
  std::uint64_t last_timer_ = 0;
  int flushes_ = 0;
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
};

/// Answers with `answer`, or keeps the exchanges when there is none.
class TestHandler final : public RequestHandler {
 public:
  [[nodiscard]] BodyMode body_mode(const RequestHead&) const override { return BodyMode::kWhole; }
  void on_exchange(std::shared_ptr<Exchange> exchange) override {
    if (answer) {
      answer(*exchange);
    } else {
      exchanges.push_back(std::move(exchange));
    }
  }
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream>) override { return nullptr; }

  std::function<void(Exchange&)> answer;
  std::vector<std::shared_ptr<Exchange>> exchanges;
};

/// `GET /path?query` and, behind a space, the body: what a test sees of the request in the answer.
inline void answer_with_request(Exchange& exchange) {
  const RequestHead& head = exchange.head();
  std::string text = head.method + " " + head.path;
  if (!head.query.empty()) text.append("?").append(head.query);
  if (!exchange.body().empty()) text.append(" ").append(exchange.body().text());
  exchange.respond(make_response(200, "text/plain", Slice::of(std::move(text))));
}

/// One session on a host of memory, with everything around it.
class SessionRig {
 public:
  explicit SessionRig(std::unique_ptr<Session> (*make)(SessionHost&), const Limits& limits = {},
                      std::size_t memory_bytes = std::size_t{1} << 30)
      : metrics(registry), memory(memory_bytes) {
    context.handler = &handler;
    context.limits = limits;
    context.memory = &memory;
    context.clock = &clock;
    context.metrics = &metrics;
    host = std::make_shared<MemoryHost>(context);
    session = make(*host);
  }
  SessionRig(const SessionRig&) = delete;
  SessionRig& operator=(const SessionRig&) = delete;
  ~SessionRig() {
    if (session != nullptr) session->on_closed();
  }

  /// Bytes as a connection would deliver them, into the session's own memory where it asks for that.
  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::span<std::byte> target = session->read_target();
      const std::size_t count = target.empty() ? bytes.size() : std::min(bytes.size(), target.size());
      if (target.empty()) {
        session->on_bytes(std::as_bytes(std::span(bytes)));
      } else {
        std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), count, target.begin());
        session->on_target_filled(count);
      }
      bytes.remove_prefix(count);
    }
  }
  /// feed(), then what came out. Asks the session for more until it has none.
  std::string send(std::string_view bytes) {
    feed(bytes);
    return receive();
  }
  std::string receive() {
    host->run_posted();
    std::string received;
    do {
      received += host->take_output();
      session->on_output_drained();
    } while (!host->output().empty());
    return received;
  }
  /// Moves the clock and lets time-outs happen as a tick would.
  void advance(Duration by) {
    if (clock.now() >= session->deadline()) session->on_deadline(clock.now());
    clock.advance(by);
    host->run_timers();
    if (clock.now() >= session->deadline()) session->on_deadline(clock.now());
  }

  metrics::Registry registry;
  TransportMetrics metrics;
  MemoryBudget memory;
  ManualClock clock;
  TestHandler handler;
  TransportContext context;
  std::shared_ptr<MemoryHost> host;
  std::unique_ptr<Session> session;
};

}  // namespace protean::testing
