// SPDX-License-Identifier: Apache-2.0
// Takes history lines off the control thread: a start-up writes a thousand of them, and a slow disk must not hold a
// load up. Lines that the store cannot take are logged and dropped.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "core/store.h"

namespace protean {

/// Owns one thread while there is a store.  Thread-safe.
class HistoryWriter {
 public:
  /// `store`: null: lines are dropped. Outlives the writer.
  explicit HistoryWriter(Store* store);
  /// Writes what is queued.
  ~HistoryWriter();
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;

  /// Lines beyond kQueueMax are dropped and counted in the log.
  void append(std::vector<HistoryRecord> records);
  /// Returns when everything appended before has been written or dropped.
  void flush();

  static constexpr std::size_t kQueueMax = 65536;

 private:
  void run();

  Store* const store_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<HistoryRecord> queue_;  // guarded by mutex_
  std::uint64_t dropped_ = 0;        // guarded by mutex_
  bool writing_ = false;             // guarded by mutex_
  bool stopping_ = false;            // guarded by mutex_
  std::thread thread_;
};

}  // namespace protean
