// SPDX-License-Identifier: Apache-2.0
// One ordered set a priority and one list by arrival. Set nodes are kept for the next request.
#include "serving/scheduling/waiting_queue.h"

#include <bit>
#include <utility>

#include "base/check.h"

namespace protean {

void WaitingQueue::push(std::shared_ptr<InferCall> call) {
  InferCall& added = *call;
  CallTicket& ticket = added.ticket;
  Level& level = level_of(added);
  QueuePlaces& places = level.places;
  if (spares_.empty()) {
    ticket.place = places.emplace_hint(places.end(), QueuePlace{ticket.deadline, ++sequence_, std::move(call)});
  } else {
    auto node = std::move(spares_.back());
    spares_.pop_back();
    node.value() = {ticket.deadline, ++sequence_, std::move(call)};
    ticket.place = places.insert(places.end(), std::move(node));
  }
  ticket.older = newest_;
  ticket.newer = nullptr;
  (newest_ == nullptr ? oldest_ : newest_->ticket.newer) = &added;
  newest_ = &added;
  occupied_ |= 1U << static_cast<unsigned>(&level - levels_.data());
  const std::uint64_t rows = rows_left(added);
  level.rows += rows;
  rows_ += rows;
  bytes_ += ticket.checked.input_bytes;
  ++requests_;
}

std::shared_ptr<InferCall> WaitingQueue::remove(InferCall& call) {
  CallTicket& ticket = call.ticket;
  PROTEAN_CHECK(requests_ > 0);
  Level& level = level_of(call);
  auto node = level.places.extract(ticket.place);
  auto held = std::move(node.value().call);
  if (spares_.size() < kSpares) spares_.push_back(std::move(node));
  (ticket.older == nullptr ? oldest_ : ticket.older->ticket.newer) = ticket.newer;
  (ticket.newer == nullptr ? newest_ : ticket.newer->ticket.older) = ticket.older;
  ticket.older = ticket.newer = nullptr;
  if (level.places.empty()) occupied_ &= ~(1U << static_cast<unsigned>(&level - levels_.data()));
  const std::uint64_t rows = rows_left(call);
  level.rows -= rows;
  rows_ -= rows;
  bytes_ -= ticket.checked.input_bytes;
  --requests_;
  return held;
}

void WaitingQueue::take_rows(InferCall& call, std::uint64_t rows) {
  PROTEAN_CHECK(rows < rows_left(call));
  call.ticket.rows_taken += rows;
  level_of(call).rows -= rows;
  rows_ -= rows;
}

InferCall* WaitingQueue::first() const noexcept {
  if (requests_ == 0) return nullptr;
  if (arrival_order_) return oldest_;
  return levels_[static_cast<std::size_t>(std::countr_zero(occupied_))].places.begin()->call.get();
}

InferCall* WaitingQueue::next(const InferCall& call) const noexcept {
  if (arrival_order_) return call.ticket.newer;
  const auto after = std::next(call.ticket.place);
  if (after != levels_[call.ticket.level].places.end()) return after->call.get();
  const std::uint32_t later = occupied_ & ~((2U << call.ticket.level) - 1);
  if (later == 0) return nullptr;
  return levels_[static_cast<std::size_t>(std::countr_zero(later))].places.begin()->call.get();
}

TimePoint WaitingQueue::earliest_deadline() const noexcept {
  TimePoint earliest = kNever;
  for (std::uint32_t left = occupied_; left != 0; left &= left - 1) {
    earliest = std::min(earliest, levels_[static_cast<std::size_t>(std::countr_zero(left))].places.begin()->deadline);
  }
  return earliest;
}

InferCall* WaitingQueue::expired(TimePoint now) const noexcept {
  for (std::uint32_t left = occupied_; left != 0; left &= left - 1) {
    const QueuePlace& place = *levels_[static_cast<std::size_t>(std::countr_zero(left))].places.begin();
    if (place.deadline <= now) return place.call.get();
  }
  return nullptr;
}

WaitingWork WaitingQueue::before(const CallTicket& newcomer, std::vector<const InferCall*>& behind) const {
  behind.clear();
  if (arrival_order_) return {requests_, rows_};
  WaitingWork work;
  for (std::size_t i = 0; i <= newcomer.level; ++i) {
    work.requests += levels_[i].places.size();
    work.rows += levels_[i].rows;
  }
  const QueuePlaces& places = levels_[newcomer.level].places;
  for (auto at = places.end(); at != places.begin() && behind.size() < kWalk;) {
    --at;
    if (at->deadline <= newcomer.deadline) break;
    behind.push_back(at->call.get());
    --work.requests;
    work.rows -= rows_left(*at->call);
  }
  return work;
}

}  // namespace protean
