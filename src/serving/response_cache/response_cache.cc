// SPDX-License-Identifier: Apache-2.0
// One mutex for the index; keys are compared and answers copied outside of it.
#include "serving/response_cache/response_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace protean {
namespace {

/// Nodes of the list and of the table, control blocks, and what allocators add: an estimate from above.
constexpr std::size_t kNodesBytes = 256;

struct Seat {
  std::uint64_t number;
  std::shared_ptr<CacheWaiter> waiter;
  std::string id;
};

std::size_t footprint(const Parameters& parameters) noexcept {
  std::size_t bytes = 0;
  for (const auto& [name, value] : parameters) {
    bytes += sizeof(std::pair<std::string, Parameter>) + name.size();
    if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
  }
  return bytes;
}

std::size_t footprint(const CacheKey& key) noexcept {
  return key.head.size() + key.data_bytes() + key.data.size() * (sizeof(Slice) + kBufferAlignment) + kBufferPadding;
}

std::size_t footprint(const InferResult& result) noexcept {
  std::size_t bytes = result.model.size() + result.version.size() + footprint(result.parameters) + kBufferPadding;
  for (const auto& output : result.outputs) {
    bytes += sizeof(InferOutput) + output.name.size() + output.tensor.shape.size() * sizeof(std::int64_t) +
             output.tensor.data.size() + kBufferAlignment + footprint(output.parameters);
  }
  return bytes;
}

/// The same answer in memory of its own: an output may be a few rows of a batch that is kept alive by it.
InferResult copy_of(const InferResult& result) {
  InferResult copy = result;
  copy.id.clear();
  std::vector<Slice> parts;
  for (const auto& output : result.outputs) parts.push_back(output.tensor.data);
  parts = copy_together(parts);
  for (std::size_t i = 0; i < parts.size(); ++i) copy.outputs[i].tensor.data = std::move(parts[i]);
  return copy;
}

InferResult answer_of(const InferResult& result, std::string id, CacheUse use) {
  InferResult answer = result;
  answer.id = std::move(id);
  answer.cache_use = use;
  answer.times = {};  // of the request that ran
  return answer;
}

tl::unexpected<Error> expired() { return fail(Code::kDeadlineExceeded, "the deadline passed before an answer came"); }

/// The request's own end, if it has come: then neither an answer nor the lead is of use to it.
std::optional<tl::unexpected<Error>> own_end(const CacheWaiter& waiter, TimePoint now) {
  if (waiter.cancelled()) return fail(Code::kCancelled, "nobody waits for the answer any more");
  if (waiter.deadline() <= now) return expired();
  return std::nullopt;
}

}  // namespace

/// One run and those who wait for it.
struct CacheFlight {
  explicit CacheFlight(CacheKey content) : key(std::move(content)) {}

  const CacheKey key;
  // Guarded by the cache's mutex.
  std::list<Seat> seats;  // longest waiting first
  bool open = true;       // can be joined
  // A lead that ends while another thread (or an outer call) hands it over only leaves word here: no recursion.
  bool handing_over = false;
  bool ended_again = false;
};

struct ResponseCache::Entry {
  CacheKey key;
  InferResult result;
  std::uint64_t bytes;
};

CacheLead& CacheLead::operator=(CacheLead&& other) noexcept {
  std::swap(cache_, other.cache_);
  std::swap(flight_, other.flight_);
  return *this;
}

CacheLead::~CacheLead() {
  if (flight_ == nullptr) return;
  Result<InferResult> dropped = fail(Code::kCancelled, "the request was dropped");
  complete(dropped);
}

void CacheLead::complete(Result<InferResult>& result) {
  if (result) result->cache_use = CacheUse::kMiss;
  const auto cache = std::move(cache_);
  const auto flight = std::move(flight_);
  if (flight != nullptr) cache->finish(flight, result);
}

bool CacheSeat::leave() { return cache_->leave(*flight_, number_); }

std::shared_ptr<ResponseCache> ResponseCache::make(ResponseCacheOptions options, ResponseCacheMetrics metrics,
                                                   const Clock& clock) {
  return std::shared_ptr<ResponseCache>(new ResponseCache(options, std::move(metrics), clock));
}

ResponseCache::ResponseCache(ResponseCacheOptions options, ResponseCacheMetrics metrics, const Clock& clock)
    : options_(options), metrics_(std::move(metrics)), clock_(clock) {}

ResponseCache::~ResponseCache() { close(); }

Result<CacheLookup> ResponseCache::find_or_join(const InferRequest& request, std::shared_ptr<CacheWaiter> waiter) {
  CacheKey key = make_cache_key(request);
  const auto alone = [&] {
    metrics_.misses->add();
    return CacheLookup(CacheLead(shared_from_this(), nullptr));
  };
  while (true) {
    std::shared_ptr<const Entry> entry;
    std::shared_ptr<CacheFlight> flight;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = index_.find(key.hash); found != index_.end()) {
        entries_.splice(entries_.begin(), entries_, found->second);
        entry = entries_.front();
      } else if (const auto running = flights_.find(key.hash); running != flights_.end()) {
        flight = running->second;
      } else {
        metrics_.misses->add();
        const auto hash = key.hash;
        auto made = std::make_shared<CacheFlight>(std::move(key));
        flights_.emplace(hash, made);
        return CacheLookup(CacheLead(shared_from_this(), std::move(made)));
      }
    }
    if (entry != nullptr) {
      if (entry->key != key) return alone();
      metrics_.hits->add();
      return CacheLookup(answer_of(entry->result, request.id, CacheUse::kHit));
    }
    if (flight->key != key) return alone();
    const std::lock_guard lock(mutex_);
    // Answered while the keys were compared: what it left is found in the next round.
    if (!flight->open) continue;
    if (flight->seats.size() >= options_.waiters_max) {
      return fail(Code::kResourceExhausted,
                  fmt::format("model '{}': {} requests wait for the answer of an equal one, expected at most that many",
                              request.model, flight->seats.size()));
    }
    flight->seats.push_back({++seats_, std::move(waiter), request.id});
    return CacheLookup(CacheSeat(shared_from_this(), std::move(flight), seats_));
  }
}

std::shared_ptr<const ResponseCache::Entry> ResponseCache::make_entry(const CacheKey& key,
                                                                      const InferResult& result) const {
  const std::size_t bytes = sizeof(Entry) + kNodesBytes + footprint(key) + footprint(result);
  if (bytes > options_.bytes_max) return nullptr;
  return std::make_shared<const Entry>(Entry{protean::copy_of(key), copy_of(result), bytes});
}

void ResponseCache::finish(const std::shared_ptr<CacheFlight>& flight, Result<InferResult>& result) {
  if (!result && result.error().code != Code::kInvalidArgument) return hand_over(flight);
  const auto entry = result ? make_entry(flight->key, *result) : nullptr;
  std::list<Seat> seats;
  Entries dropped;
  {
    const std::lock_guard lock(mutex_);
    forget(flight);
    seats.swap(flight->seats);
    if (entry != nullptr && !closed_) insert(entry, dropped);
    show_size();
  }
  const TimePoint now = seats.empty() ? TimePoint() : clock_.now();
  for (auto& seat : seats) {
    if (auto end = own_end(*seat.waiter, now)) {
      seat.waiter->answer(std::move(*end));
    } else if (!result) {
      seat.waiter->answer(tl::unexpected<Error>(result.error()));
    } else {
      metrics_.shared->add();
      seat.waiter->answer(answer_of(entry != nullptr ? entry->result : *result, std::move(seat.id), CacheUse::kShared));
    }
  }
}

void ResponseCache::hand_over(const std::shared_ptr<CacheFlight>& flight) {
  {
    const std::lock_guard lock(mutex_);
    flight->ended_again = flight->handing_over;
    if (std::exchange(flight->handing_over, true)) return;
  }
  while (true) {
    std::optional<Seat> next;
    {
      const std::lock_guard lock(mutex_);
      flight->ended_again = false;
      if (flight->seats.empty()) {
        forget(flight);
        flight->handing_over = false;
        return;
      }
      next = std::move(flight->seats.front());
      flight->seats.pop_front();
    }
    if (auto end = own_end(*next->waiter, clock_.now())) {
      next->waiter->answer(std::move(*end));
      continue;
    }
    metrics_.misses->add();
    next->waiter->lead(CacheLead(shared_from_this(), flight));
    const std::lock_guard lock(mutex_);
    if (!flight->ended_again) {
      flight->handing_over = false;
      return;
    }
  }
}

bool ResponseCache::leave(CacheFlight& flight, std::uint64_t number) {
  std::list<Seat> gone;
  const std::lock_guard lock(mutex_);
  const auto seat = std::ranges::find(flight.seats, number, &Seat::number);
  if (seat == flight.seats.end()) return false;
  gone.splice(gone.begin(), flight.seats, seat);
  return true;
}

void ResponseCache::expire(TimePoint now) {
  std::list<Seat> gone;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [hash, flight] : flights_) {
      for (auto seat = flight->seats.begin(); seat != flight->seats.end();) {
        const auto next = std::next(seat);
        if (seat->waiter->deadline() <= now) gone.splice(gone.end(), flight->seats, seat);
        seat = next;
      }
    }
  }
  for (const auto& seat : gone) seat.waiter->answer(expired());
}

TimePoint ResponseCache::next_deadline() const {
  const std::lock_guard lock(mutex_);
  TimePoint earliest = kNever;
  for (const auto& [hash, flight] : flights_) {
    for (const auto& seat : flight->seats) earliest = std::min(earliest, seat.waiter->deadline());
  }
  return earliest;
}

void ResponseCache::close() {
  Entries dropped;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(entries_);
    index_.clear();
    bytes_ = 0;
    show_size();
  }
}

std::uint64_t ResponseCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::size_t ResponseCache::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void ResponseCache::insert(std::shared_ptr<const Entry> entry, Entries& dropped) {
  const auto hash = entry->key.hash;
  if (const auto old = index_.find(hash); old != index_.end()) drop(old->second, dropped);
  while (!entries_.empty() && entry->bytes > options_.bytes_max - bytes_) {
    drop(std::prev(entries_.end()), dropped);
    metrics_.evictions->add();
  }
  bytes_ += entry->bytes;
  entries_.push_front(std::move(entry));
  index_.emplace(hash, entries_.begin());
}

void ResponseCache::drop(Entries::iterator entry, Entries& dropped) {
  bytes_ -= (*entry)->bytes;
  index_.erase((*entry)->key.hash);
  dropped.splice(dropped.begin(), entries_, entry);
}

void ResponseCache::forget(const std::shared_ptr<CacheFlight>& flight) {
  flight->open = false;
  const auto found = flights_.find(flight->key.hash);
  if (found != flights_.end() && found->second == flight) flights_.erase(found);
}

void ResponseCache::show_size() const {
  metrics_.bytes->set(static_cast<double>(bytes_));
  metrics_.entries->set(static_cast<double>(entries_.size()));
}

}  // namespace protean
