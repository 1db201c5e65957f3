// SPDX-License-Identifier: Apache-2.0
// The requests that wait for one version, in the order in which they are served, with what is needed about them
// at any moment: the oldest, the first to expire, rows and bytes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/model_config.h"
#include "serving/scheduling/infer_call.h"

namespace protean {

/// What waits, or a part of it.
struct WaitingWork {
  std::uint64_t requests = 0;
  std::uint64_t rows = 0;
};

/// Not thread-safe.  Insertion costs O(log n), nothing is allocated once the queue has been that long before.
class WaitingQueue {
 public:
  static constexpr std::size_t kLevels = kPriorityLast - kPriorityFirst + 1;

  /// Whether requests are served as they arrived, whatever their priority and deadline.  Requires empty().
  void set_arrival_order(bool arrival_order) noexcept { arrival_order_ = arrival_order; }

  void push(std::shared_ptr<InferCall> call);
  /// Requires that the call waits here.
  std::shared_ptr<InferCall> remove(InferCall& call);
  /// Some rows of the call are running; it keeps its place.  Requires rows < those left.
  void take_rows(InferCall& call, std::uint64_t rows);

  [[nodiscard]] bool empty() const noexcept { return requests_ == 0; }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// nullptr when empty.
  [[nodiscard]] InferCall* oldest() const noexcept { return oldest_; }
  /// The first to be served; nullptr when empty.
  [[nodiscard]] InferCall* first() const noexcept;
  /// The one served after `call`; nullptr when it is the last.
  [[nodiscard]] InferCall* next(const InferCall& call) const noexcept;
  /// The earliest deadline of all that wait; kNever when there is none.
  [[nodiscard]] TimePoint earliest_deadline() const noexcept;
  /// A request whose deadline is not after `now`; nullptr when there is none.
  [[nodiscard]] InferCall* expired(TimePoint now) const noexcept;
  /// What will be served before a newcomer of that level and deadline.
  /// `behind`: called for at most `kWalk` of those of its level that come after it, last first.
  [[nodiscard]] WaitingWork before(const CallTicket& newcomer, std::vector<const InferCall*>& behind) const;

  static constexpr std::size_t kWalk = 64;
  static std::uint64_t rows_left(const InferCall& call) noexcept {
    return call.ticket.checked.rows - call.ticket.rows_taken;
  }

 private:
  struct Level {
    QueuePlaces places;
    std::uint64_t rows = 0;
  };
  static constexpr std::size_t kSpares = 256;

  [[nodiscard]] Level& level_of(const InferCall& call) noexcept {
    return levels_[arrival_order_ ? 0 : call.ticket.level];
  }

  std::array<Level, kLevels> levels_;
  std::uint32_t occupied_ = 0;  // bit i: levels_[i] is not empty
  bool arrival_order_ = false;
  InferCall* oldest_ = nullptr;
  InferCall* newest_ = nullptr;
  std::uint64_t requests_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t sequence_ = 0;
  std::vector<QueuePlaces::node_type> spares_;
};

}  // namespace protean
