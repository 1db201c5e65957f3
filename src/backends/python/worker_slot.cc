// SPDX-License-Identifier: Apache-2.0
// The keeper's thread: one loop a worker's life, one wait for everything that can happen in it.
#include "backends/python/worker_slot.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace protean::python {
namespace {

constexpr Duration kWatchEvery = std::chrono::seconds(1);
constexpr Duration kPauseFirst = std::chrono::milliseconds(50);
constexpr Duration kPauseMax = std::chrono::seconds(30);
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kReadsPerTurn = 16;

/// For throwing output away without reading it.
int nowhere() noexcept {
  static const Descriptor file(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  return file.get();
}

Tensor as_tensor(const std::string& text) {
  return {
      DataType::kUint8, {static_cast<std::int64_t>(text.size())}, Slice{nullptr, std::as_bytes(std::span(text)), 0}};
}

}  // namespace

WorkerSlot::WorkerSlot(SlotPlan plan, SlotsShared& shared)
    : plan_(std::move(plan)), shared_(shared), stop_(::eventfd(0, EFD_CLOEXEC)), log_(plan_.log) {
  thread_ = std::thread([this] { run(); });
}

WorkerSlot::~WorkerSlot() {
  stopping_.store(true);
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

std::shared_ptr<Worker> WorkerSlot::take() noexcept {
  state_ = SlotState::kBusy;
  return worker_;
}

void WorkerSlot::give_back(const std::shared_ptr<Worker>& worker, bool answered) noexcept {
  if (answered) answered_.store(true, std::memory_order_relaxed);
  if (worker_ != worker) return;  // it ended meanwhile
  state_ = worker->broken() ? SlotState::kDown : SlotState::kIdle;
}

std::optional<std::string> WorkerSlot::end_of(const std::shared_ptr<Worker>& worker) const {
  if (ended_.lock() != worker) return {};
  return last_end_;
}

void WorkerSlot::run() {
  ::pthread_setname_np(::pthread_self(), "protean-python");
  while (!stopping_.load()) {
    auto started = Worker::start(plan_.worker);
    if (!started) {
      loaded(nullptr, tl::unexpected(started.error()));
      ended(nullptr, started.error().message);
    } else {
      live(std::shared_ptr<Worker>(*std::move(started)));
    }
    if (!pause()) return;
  }
}

/// Waits before the next start. Whether there is to be one.
bool WorkerSlot::pause() {
  Duration left{};
  {
    // A model that was never loaded is the repository's to try again.
    const std::lock_guard lock(shared_.mutex);
    if (stopping_.load() || !first_load_ || !*first_load_) return false;
    left = std::max(next_start_ - Clock::system().now(), Duration::zero());
  }
  ::pollfd waiting{stop_.get(), POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(left / std::chrono::milliseconds(1))) == 0;
}

void WorkerSlot::live(const std::shared_ptr<Worker>& worker) {
  loading_ = true;
  log_closed_ = reply_closed_ = false;
  load_until_ = Clock::system().now() + plan_.load_time_max;
  const Tensor settings = as_tensor(plan_.settings);
  const std::array<const Tensor*, 1> inputs = {&settings};
  {
    const std::lock_guard lock(shared_.mutex);
    state_ = SlotState::kStarting;
  }
  if (const auto sent = worker->send({Op::kLoad, inputs, {}, {}}); !sent) worker->end(sent.error().message);
  while (true) {
    bool reply = false;
    switch (wait(*worker, kWatchEvery, reply)) {
      case Event::kStop: worker->kill(); return ended(worker, "was ended by the server");
      case Event::kEnded:
        read_log(*worker);
        log_.flush(Clock::system().now());
        return ended(worker, how_it_ended(*worker));
      case Event::kNone: break;
    }
    if (reply) finish_load(worker);
    watch(worker);
  }
}

WorkerSlot::Event WorkerSlot::wait(Worker& worker, Duration most, bool& reply) {
  // While requests are served, the reply is for the thread that serves them.
  std::array<::pollfd, 4> waiting = {{{stop_.get(), POLLIN, 0},
                                      {worker.process().handle(), POLLIN, 0},
                                      {log_closed_ ? -1 : worker.log_handle(), POLLIN, 0},
                                      {loading_ && !reply_closed_ ? worker.reply_handle() : -1, POLLIN, 0}}};
  if (loading_) most = std::clamp(load_until_ - Clock::system().now(), Duration::zero(), most);
  const int ready = ::poll(waiting.data(), waiting.size(), static_cast<int>(most / std::chrono::milliseconds(1)) + 1);
  if (ready <= 0) return Event::kNone;
  if (waiting[0].revents != 0) return Event::kStop;
  // An answer that was given before the end still counts.
  reply = (waiting[3].revents & POLLIN) != 0;
  if (waiting[1].revents != 0 && !reply) return Event::kEnded;
  if (waiting[2].revents != 0) read_log(worker);
  // What a worker has closed is not looked at again, or this loop would do nothing else.
  log_closed_ = (waiting[2].revents & (POLLIN | POLLHUP)) == POLLHUP || log_closed_;
  reply_closed_ = (waiting[3].revents & (POLLIN | POLLHUP)) == POLLHUP || reply_closed_;
  return Event::kNone;
}

void WorkerSlot::read_log(const Worker& worker) {
  thread_local std::array<char, kReadBytes> bytes;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const TimePoint now = Clock::system().now();
    if (log_.exhausted(now)) {
      const auto moved = ::splice(worker.log_handle(), nullptr, nowhere(), nullptr, 1 << 20, SPLICE_F_NONBLOCK);
      if (moved <= 0) return;
      log_.note_discarded(static_cast<std::uint64_t>(moved));
      continue;
    }
    const auto got = ::read(worker.log_handle(), bytes.data(), bytes.size());
    if (got <= 0) return;
    log_.add({bytes.data(), static_cast<std::size_t>(got)}, now);
  }
}

void WorkerSlot::finish_load(const std::shared_ptr<Worker>& worker) {
  auto answer = worker->receive();
  if (!answer) return loaded(worker, tl::unexpected(std::move(answer).error()));
  if (answer->kind == WorkerReply::Kind::kAskedAgain) return;
  const auto& tensors = answer->tensors;
  if (answer->kind != WorkerReply::Kind::kWhole || tensors.size() != 1) {
    return loaded(worker, fail(Code::kInternal, "its Python worker did not say what it has loaded"));
  }
  const auto text = tensors.front().tensor.data.text();
  if (facts_seen_.empty()) facts_seen_ = text;
  if (facts_seen_ != text) {
    return loaded(worker,
                  fail(Code::kFailedPrecondition, "its inputs or outputs are not those that it was loaded with"));
  }
  loaded(worker, read_loaded(tensors.front().tensor.data.bytes));
}

void WorkerSlot::loaded(const std::shared_ptr<Worker>& worker, Result<LoadedFacts> facts) {
  loading_ = false;
  if (worker && !facts) worker->end(facts.error().message);
  if (worker) own_bytes_.store(usage_of(worker->process().id()).own_bytes, std::memory_order_relaxed);
  {
    const std::lock_guard lock(shared_.mutex);
    if (facts) {
      worker_ = worker;
      state_ = SlotState::kIdle;
    }
    if (!first_load_) first_load_ = std::move(facts);
  }
  shared_.changed.notify_all();
}

void WorkerSlot::watch(const std::shared_ptr<Worker>& worker) {
  const TimePoint now = Clock::system().now();
  if (loading_ && now >= load_until_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(plan_.load_time_max).count();
    loaded(worker, fail(Code::kDeadlineExceeded, "loading took longer than " + std::to_string(seconds) + " s"));
  }
  if (now < watched_at_ + kWatchEvery) return;
  watched_at_ = now;
  log_.flush(now);
  own_bytes_.store(worker->check_usage().own_bytes, std::memory_order_relaxed);
}

std::string WorkerSlot::how_it_ended(const Worker& worker) const {
  if (auto why = worker.why(); !why.empty()) return why;
  std::string how = worker.process().end_text().value_or("ended");
  if (!log_.last_line().empty()) how += "; the last line of its log: " + log_.last_line();
  return how;
}

void WorkerSlot::ended(const std::shared_ptr<Worker>& worker, std::string how) {
  failures_ = answered_.exchange(false) ? 0 : failures_ + 1;
  const Duration pause =
      failures_ == 0 ? Duration::zero() : std::min(kPauseMax, kPauseFirst * (1U << std::min(failures_ - 1, 16U)));
  own_bytes_.store(0, std::memory_order_relaxed);
  if (!stopping_.load()) {
    log::warning("Python worker ended", {{"model", plan_.model}, {"version", plan_.version}, {"reason", how}});
  }
  {
    const std::lock_guard lock(shared_.mutex);
    if (!first_load_) {
      first_load_ =
          Result<LoadedFacts>(fail(Code::kUnavailable, "its Python worker " + how + ", while it was loading"));
    }
    state_ = SlotState::kDown;
    worker_.reset();
    ended_ = worker;
    last_end_ = std::move(how);
    next_start_ = Clock::system().now() + pause;
  }
  shared_.changed.notify_all();
}

}  // namespace protean::python
