// SPDX-License-Identifier: Apache-2.0
// A place for one worker, and the thread that keeps it filled: it starts the process, loads the model, reads its
// output, watches its memory, and after its end starts the next. The thread lives as long as the slot because the
// kernel ends a worker together with the thread that started it. Where the process is one that models share
// (shared_process.h), the thread joins it instead, and leaves its output and memory to others.
//
//   kStarting --loaded--> kIdle <--take, give back--> kBusy
//       |                   |                           |
//       +---- ended, or broken by what it answers -----+---> kDown --after a pause--> kStarting
//
// The pause doubles from 50 ms to 30 s while workers end without having answered; after one that had, there is none.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "backends/python/restart_pause.h"
#include "backends/python/shared_process.h"
#include "backends/python/signature_reader.h"
#include "backends/python/worker.h"
#include "backends/python/worker_log.h"
#include "base/clock.h"
#include "base/result.h"

namespace protean::python {

enum class SlotState : unsigned char { kStarting, kIdle, kBusy, kDown };

/// `settings`: what loading.py is told: key, NUL, value, NUL and so on.  `shared`: nullptr for a process of its own;
/// otherwise nobody reads `sandbox` and `worker`.
struct SlotPlan {
  std::shared_ptr<Sandbox> sandbox;  // what worker.process.sandbox points to
  WorkerPlan worker;
  std::string settings;
  Duration load_time_max = std::chrono::seconds(120);
  WorkerLog::Sink log;
  std::string model;
  std::string version;
  std::shared_ptr<SharedProcess> shared = {};
};

/// What all slots of a pool share. The pool outlives its slots.
struct SlotsShared {
  std::mutex mutex;
  std::condition_variable changed;
};

class WorkerSlot {
 public:
  /// `plan.worker.process.sandbox` belongs to this slot alone.
  WorkerSlot(SlotPlan plan, SlotsShared& shared);
  /// Ends the worker and the thread.
  ~WorkerSlot();
  WorkerSlot(const WorkerSlot&) = delete;
  WorkerSlot& operator=(const WorkerSlot&) = delete;

  // under the shared mutex
  [[nodiscard]] SlotState state() const noexcept { return state_; }
  /// The outcome of the first load, once there is one.
  [[nodiscard]] const std::optional<Result<LoadedFacts>>& first_load() const noexcept { return first_load_; }
  /// Requires kIdle.
  [[nodiscard]] std::shared_ptr<Worker> take() noexcept;
  void give_back(const std::shared_ptr<Worker>& worker, bool answered) noexcept;
  /// How `worker` ended, once the thread knows; nullopt until then.
  [[nodiscard]] std::optional<std::string> end_of(const std::shared_ptr<Worker>& worker) const;
  /// Why it is kDown, and when the next start is due.
  [[nodiscard]] const std::string& last_end() const noexcept { return last_end_; }
  [[nodiscard]] TimePoint next_start() const noexcept { return next_start_; }
  [[nodiscard]] bool shared() const noexcept { return plan_.shared != nullptr; }

  // without it
  [[nodiscard]] std::uint64_t own_bytes() const noexcept { return own_bytes_.load(std::memory_order_relaxed); }

 private:
  enum class Event : unsigned char { kNone, kStop, kEnded };

  void run();
  [[nodiscard]] Result<std::unique_ptr<Worker>> start();
  void live(const std::shared_ptr<Worker>& worker);
  Event wait(Worker& worker, Duration most, bool& reply);
  void finish_load(const std::shared_ptr<Worker>& worker);
  void loaded(const std::shared_ptr<Worker>& worker, Result<LoadedFacts> facts);
  void refuse(Worker& worker, const Error& error) const;
  void watch(const std::shared_ptr<Worker>& worker);
  void ended(const std::shared_ptr<Worker>& worker, std::string how);
  [[nodiscard]] bool pause();
  [[nodiscard]] std::string how_it_ended(Worker& worker);

  const SlotPlan plan_;
  SlotsShared& shared_;
  const Descriptor stop_;  // an eventfd
  std::atomic<std::uint64_t> own_bytes_{0};
  std::atomic<bool> answered_{false};
  std::atomic<bool> stopping_{false};

  // guarded by shared_.mutex
  SlotState state_ = SlotState::kStarting;
  std::shared_ptr<Worker> worker_;
  std::optional<Result<LoadedFacts>> first_load_;
  std::weak_ptr<Worker> ended_;
  std::string last_end_;
  TimePoint next_start_{};

  // of the thread
  WorkerLog log_;
  std::string facts_seen_;  // what the first worker said of the model
  bool loading_ = false;
  bool log_closed_ = false;  // by the worker
  bool reply_closed_ = false;
  TimePoint load_until_{};
  TimePoint watched_at_{};
  RestartPause restart_pause_;
  std::uint32_t number_ = 0;  // in the shared process; 0: not added yet
  std::thread thread_;
};

}  // namespace protean::python
