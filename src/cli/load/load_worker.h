// SPDX-License-Identifier: Apache-2.0
// One thread of the load generator: its event loop, its share of the connections and of the schedule.
#pragma once

#include <deque>
#include <memory>
#include <stop_token>
#include <vector>

#include "cli/load/load_plan.h"

namespace protean {

/// This worker is number `index` of `count`.
struct WorkerShare {
  std::size_t index = 0;
  std::size_t count = 1;
};

/// Made and used by one thread.
class LoadWorker {
 public:
  /// `plan` outlives the worker.
  LoadWorker(const LoadPlan& plan, WorkerShare share, std::stop_token stop);
  ~LoadWorker();
  LoadWorker(const LoadWorker&) = delete;
  LoadWorker& operator=(const LoadWorker&) = delete;

  /// `begin`: of the warm-up.
  [[nodiscard]] LoadResult run(TimePoint begin);

 private:
  /// A connection and the ones that replace it.
  struct Lane {
    std::shared_ptr<ClientConnection> connection;
    bool connecting = false;
    bool was_open = false;
    TimePoint retry_at{};
  };

  void mend(Lane& lane, TimePoint now);
  void on_connected(Lane& lane, const Status& status);
  /// Closed loop: keeps every stream busy.  Open loop: sends what waits.
  void feed(Lane& lane);
  void start(Lane& lane, TimePoint intended);
  void finish(const LoadRequest& request, TimePoint intended, const ClientReply& reply);
  void count_failure(TimePoint intended, const std::string& label, const std::string& text);
  [[nodiscard]] Lane* free_lane();
  void arrive();
  void tick();
  [[nodiscard]] bool measured(TimePoint intended) const noexcept { return intended >= from_ && intended < until_; }
  [[nodiscard]] bool open_loop() const noexcept { return plan_.rate > 0; }

  const LoadPlan& plan_;
  const WorkerShare share_;
  const std::stop_token stop_;
  ClientLoop loop_;
  Arrivals arrivals_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<TimePoint> backlog_;
  std::size_t next_lane_ = 0;
  std::size_t next_request_;
  std::size_t in_flight_ = 0;
  TimePoint begin_, from_, until_;
  TimePoint next_arrival_;
  bool ended_ = false;
  LoadResult result_;
};

}  // namespace protean
