// SPDX-License-Identifier: Apache-2.0
// Bytes on their way to one socket: small pieces are gathered, large ones are sent from where they lie.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/metrics.h"

namespace protean {

/// Not thread-safe: belongs to its connection's loop.
class OutputQueue {
 public:
  /// Copies; meant for heads, frames and small bodies.
  void append_copy(std::string_view bytes);
  /// Keeps a share; pieces below a few KiB are copied all the same (one iovec costs more).
  void append(Slice slice);
  /// `histogram` observes the nanoseconds from `start` until everything appended so far has been sent.
  void observe_sent(std::shared_ptr<metrics::Histogram> histogram, TimePoint start);

  /// Lets go of `owner` once everything appended so far has been sent, or with the queue.
  void hold(std::shared_ptr<const void> owner);

  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }
  /// Fills `vectors` from the front and returns how many it used.
  [[nodiscard]] std::size_t gather(std::span<iovec> vectors) const noexcept;
  /// The first `count` bytes have been sent. Frees all memory when the queue runs empty.
  void consume(std::size_t count, TimePoint now);
  /// Whether consume() will look at its `now`; any time does when it will not.
  [[nodiscard]] bool observing() const noexcept { return !marks_.empty(); }

 private:
  struct Mark {
    std::uint64_t position;                         // in sent_ + bytes_ terms
    std::shared_ptr<metrics::Histogram> histogram;  // nullptr: nothing to observe
    TimePoint start;
    std::shared_ptr<const void> held;
  };
  void seal_tail();
  void observe(TimePoint now);

  std::vector<Slice> pieces_;   // sent ones in front of front_ are empty
  std::size_t front_ = 0;       // index of the first piece not sent
  Buffer tail_;                 // small appends collect here, after all pieces_
  std::size_t front_sent_ = 0;  // bytes sent of the first piece (of tail_ when there are no pieces)
  std::size_t bytes_ = 0;
  std::uint64_t sent_ = 0;
  std::vector<Mark> marks_;
};

}  // namespace protean
