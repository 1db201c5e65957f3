// SPDX-License-Identifier: Apache-2.0
// The other side's answer, asked for and compared behind the client's back. The client's answer is gone by then;
// nothing here can slow it. What cannot be kept up with is dropped and counted.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "core/exchange.h"
#include "migrate/answer.h"
#include "migrate/migration.h"

namespace protean::migrate {

/// A request that one side has answered.
struct Sample {
  std::shared_ptr<const Exchange> exchange;
  CallName call;
  Side answered_by = Side::kFrom;
  Answer answer;
};

/// Thread-safe.  Comparing has a thread of its own.
///   offer() --> waiting --(fewer than mirror_in_flight_max)--> in flight --answer--> to compare --> counted
class Mirror {
 public:
  using Upstreams = std::array<Upstream*, kSides>;
  /// All outlive the mirror; the upstreams should be others than those that answer clients.
  Mirror(Migration& migration, Upstreams upstreams);
  /// Requires that the upstreams have stopped.
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  /// Takes its share of the samples.  Never waits.
  void offer(Sample sample);
  /// Waits until nothing is under way.  False at `until`.
  bool drain(TimePoint until);

 private:
  struct Job {
    Sample sample;
    std::size_t bytes = 0;
    Answer mirrored;
  };
  using JobPtr = std::shared_ptr<Job>;

  void send(const JobPtr& job);
  void on_answer(const JobPtr& job, Answer answer);
  void compare_loop();
  void compare(const Job& job);
  void compare_answers(Comparison& out, const RequestHead& request, const Answer& from, const Answer& to) const;
  void keep_example(const Job& job, const Comparison& comparison);

  Migration& migration_;
  const Upstreams upstreams_;
  Share share_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<JobPtr> waiting_;     // guarded by mutex_
  std::deque<JobPtr> to_compare_;  // guarded by mutex_
  std::size_t in_flight_ = 0;      // guarded by mutex_
  std::size_t under_way_ = 0;      // guarded by mutex_; all jobs that are not finished
  std::size_t bytes_ = 0;          // guarded by mutex_; of all jobs under way
  bool stopping_ = false;          // guarded by mutex_
  std::thread comparer_;
};

}  // namespace protean::migrate
