// SPDX-License-Identifier: Apache-2.0
// One thread, one bounded queue.
#include "serving/versions/history_writer.h"

#include <utility>

#include "base/log.h"

namespace protean {

HistoryWriter::HistoryWriter(Store* store) : store_(store) {
  if (store_ != nullptr) thread_ = std::thread([this] { run(); });
}

HistoryWriter::~HistoryWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void HistoryWriter::append(std::vector<HistoryRecord> records) {
  if (store_ == nullptr || records.empty()) return;
  const auto now = std::chrono::system_clock::now();
  {
    const std::lock_guard lock(mutex_);
    for (auto& record : records) {
      if (queue_.size() >= kQueueMax) {
        ++dropped_;
        continue;
      }
      record.at = now;
      queue_.push_back(std::move(record));
    }
  }
  wake_.notify_all();
}

void HistoryWriter::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return store_ == nullptr || (queue_.empty() && !writing_); });
}

void HistoryWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const HistoryRecord record = std::move(queue_.front());
    queue_.pop_front();
    const std::uint64_t dropped = std::exchange(dropped_, 0);
    writing_ = true;
    lock.unlock();
    if (dropped > 0) log::warning("history lines dropped", {{"count", dropped}});
    if (const auto status = store_->append_history(record); !status) {
      log::warning("history line not written",
                   {{"action", record.action}, {"model", record.model}, {"reason", status.error().message}});
    }
    lock.lock();
    writing_ = false;
    if (queue_.empty()) idle_.notify_all();
  }
}

}  // namespace protean
