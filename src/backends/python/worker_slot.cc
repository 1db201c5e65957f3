// SPDX-License-Identifier: Apache-2.0
// The keeper's thread: one loop a worker's life, one wait for everything that can happen in it.
#include "backends/python/worker_slot.h"

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
constexpr int kEndSeenWithinMs = 80;
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
  if (shared()) plan_.shared->wake_all();
  thread_.join();
  if (number_ != 0) plan_.shared->remove(number_);
}

std::shared_ptr<Worker> WorkerSlot::take() noexcept {
  state_ = SlotState::kBusy;
  return worker_;
}

void WorkerSlot::give_back(const std::shared_ptr<Worker>& worker, bool answered) noexcept {
  if (answered) {
    answered_.store(true, std::memory_order_relaxed);
    worker->process().note_answered();
  }
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
    auto started = start();
    if (!started) {
      loaded(nullptr, tl::unexpected(started.error()));
      ended(nullptr, started.error().message);
    } else {
      live(std::shared_ptr<Worker>(*std::move(started)));
    }
    if (!pause()) return;
  }
}

Result<std::unique_ptr<Worker>> WorkerSlot::start() {
  if (!shared()) return Worker::start(plan_.worker);
  if (number_ == 0) {
    TRY(number_, plan_.shared->add(plan_.log));
  }
  TRY(auto process, plan_.shared->wait_for_process(stopping_));
  return Worker::join(std::move(process), number_, "model '" + plan_.model + "', version " + plan_.version + ",");
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
  if (const auto sent = worker->send({Op::kLoad, inputs, {}, {}}); !sent) worker->leave(sent.error().message);
  while (true) {
    bool reply = false;
    switch (wait(*worker, kWatchEvery, reply)) {
      case Event::kStop: worker->leave("was ended by the server"); return ended(worker, "was ended by the server");
      case Event::kEnded: return ended(worker, how_it_ended(*worker));
      case Event::kNone: break;
    }
    if (reply) finish_load(worker);
    watch(worker);
    if (worker->left()) return ended(worker, worker->why());
  }
}

WorkerSlot::Event WorkerSlot::wait(Worker& worker, Duration most, bool& reply) {
  // While requests are served, the reply is for the thread that serves them.
  std::array<::pollfd, 4> waiting = {{{stop_.get(), POLLIN, 0},
                                      {worker.process().child().handle(), POLLIN, 0},
                                      {log_closed_ || shared() ? -1 : worker.process().log_handle(), POLLIN, 0},
                                      {loading_ && !reply_closed_ ? worker.reply_handle() : -1, POLLIN, 0}}};
  if (loading_) most = std::clamp(load_until_ - Clock::system().now(), Duration::zero(), most);
  const int ready = ::poll(waiting.data(), waiting.size(), static_cast<int>(most / std::chrono::milliseconds(1)) + 1);
  if (ready <= 0) return Event::kNone;
  if (waiting[0].revents != 0) return Event::kStop;
  // An answer that was given before the end still counts.
  reply = (waiting[3].revents & POLLIN) != 0;
  if (waiting[1].revents != 0 && !reply) return Event::kEnded;
  if (waiting[2].revents != 0) log_.read_from(worker.process().log_handle());
  // What a worker has closed is not looked at again, or this loop would do nothing else.
  log_closed_ = (waiting[2].revents & (POLLIN | POLLHUP)) == POLLHUP || log_closed_;
  reply_closed_ = (waiting[3].revents & (POLLIN | POLLHUP)) == POLLHUP || reply_closed_;
  return Event::kNone;
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
  if (worker && !facts) refuse(*worker, facts.error());
  if (worker) own_bytes_.store(worker->process().own_bytes_each(), std::memory_order_relaxed);
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

/// Code that does not come to its end ends with its process only.
void WorkerSlot::refuse(Worker& worker, const Error& error) const {
  if (worker.shared() && error.code == Code::kDeadlineExceeded) return worker.blame("loading ", " took too long");
  if (!worker.shared() || !worker.process().ending()) worker.leave(error.message);
}

void WorkerSlot::watch(const std::shared_ptr<Worker>& worker) {
  const TimePoint now = Clock::system().now();
  if (loading_ && now >= load_until_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(plan_.load_time_max).count();
    loaded(worker, fail(Code::kDeadlineExceeded, "loading took longer than " + std::to_string(seconds) + " s"));
  }
  ::pollfd end{worker->process().child().handle(), POLLIN, 0};
  // The end of the process, too, is seen a little later than that of its descriptors.
  if (loading_ && reply_closed_ && shared() && ::poll(&end, 1, kEndSeenWithinMs) == 0) {
    loaded(worker, fail(Code::kInternal, "its thread in the shared Python worker ended"));
  }
  if (now < watched_at_ + kWatchEvery) return;
  watched_at_ = now;
  if (!shared()) {
    log_.flush(now);
    (void)worker->process().check_usage();
  }
  own_bytes_.store(worker->process().own_bytes_each(), std::memory_order_relaxed);
}

std::string WorkerSlot::how_it_ended(Worker& worker) {
  if (shared()) return plan_.shared->how_it_ended(worker.process());
  log_.read_from(worker.process().log_handle());
  log_.flush(Clock::system().now());
  return worker.process().how_it_ended(log_.last_line());
}

void WorkerSlot::ended(const std::shared_ptr<Worker>& worker, std::string how) {
  const bool process_goes_on = worker && worker->left();
  TimePoint next = Clock::system().now() + restart_pause_.next(answered_.exchange(false));
  if (shared() && !process_goes_on) next = std::max(next, plan_.shared->next_start());
  own_bytes_.store(0, std::memory_order_relaxed);
  // The end of a shared process is told once, by its own thread.
  if (!stopping_.load() && (!shared() || process_goes_on)) {
    log::warning(process_goes_on ? "Python model left its shared worker" : "Python worker ended",
                 {{"model", plan_.model}, {"version", plan_.version}, {"reason", how}});
  }
  {
    const std::lock_guard lock(shared_.mutex);
    if (!first_load_) {
      first_load_ = Result<LoadedFacts>(
          fail(Code::kUnavailable, std::string(worker_subject(shared())) + how + ", while it was loading"));
    }
    state_ = SlotState::kDown;
    worker_.reset();
    ended_ = worker;
    last_end_ = std::move(how);
    next_start_ = next;
  }
  shared_.changed.notify_all();
}

}  // namespace protean::python
