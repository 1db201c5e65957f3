// SPDX-License-Identifier: Apache-2.0
// Answers of one version by the content of the request, and single flight: of equal requests at one time the first one
// runs (it leads) and the others wait for its answer. No threads of its own: whoever completes a lead also answers
// those who wait.
//
//   find_or_join -> the answer                                       (hit)
//                -> CacheLead: run, then complete()                  (miss)
//                -> CacheSeat: answer() or lead() is called later    (shared)
//   A lead completed with an answer or with kInvalidArgument (equal input, equal error) answers everybody who waits.
//   Completed with anything else, or dropped, it passes to the longest waiting request that still wants an answer.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/inference.h"
#include "serving/response_cache/cache_key.h"
#include "serving/response_cache/cache_metrics.h"

namespace protean {

class ResponseCache;
struct CacheFlight;

/// The duty to run a request. Movable; dropping one that was not completed passes the duty on.
class CacheLead {
 public:
  CacheLead(CacheLead&&) noexcept = default;
  CacheLead& operator=(CacheLead&& other) noexcept;
  ~CacheLead();

  /// Stores a good answer, answers those who wait, or passes the lead on. An answer is marked CacheUse::kMiss.
  /// Calls answer() and lead() of others, on this thread, without locks held. At most once.
  void complete(Result<InferResult>& result);

 private:
  friend class ResponseCache;
  CacheLead(std::shared_ptr<ResponseCache> cache, std::shared_ptr<CacheFlight> flight) noexcept
      : cache_(std::move(cache)), flight_(std::move(flight)) {}

  std::shared_ptr<ResponseCache> cache_;
  std::shared_ptr<CacheFlight> flight_;  // null when nobody can wait for it and its answer is not kept
};

/// A request that may have to wait for an equal one. For each that got a CacheSeat and did not leave(), exactly one of
/// answer() and lead() is called, on any thread, without locks held.
class CacheWaiter {
 public:
  virtual ~CacheWaiter() = default;
  /// Nobody waits for the answer any more.  Thread-safe.
  [[nodiscard]] virtual bool cancelled() const noexcept = 0;
  /// Constant.
  [[nodiscard]] virtual TimePoint deadline() const noexcept = 0;
  /// The other request's answer with this one's id and CacheUse::kShared; or its kInvalidArgument; or kCancelled or
  /// kDeadlineExceeded because of this request itself.
  virtual void answer(Result<InferResult> result) = 0;
  /// The request before it failed or left: this one runs now.
  virtual void lead(CacheLead lead) = 0;
};

/// A place among those who wait.
class CacheSeat {
 public:
  /// Gives the place up: for a request that was cancelled or has expired. False when answer() or lead() has been
  /// called or is about to be.  Thread-safe.
  bool leave();

 private:
  friend class ResponseCache;
  CacheSeat(std::shared_ptr<ResponseCache> cache, std::shared_ptr<CacheFlight> flight, std::uint64_t number) noexcept
      : cache_(std::move(cache)), flight_(std::move(flight)), number_(number) {}

  std::shared_ptr<ResponseCache> cache_;
  std::shared_ptr<CacheFlight> flight_;
  std::uint64_t number_;
};

/// An answer (with the request's own id and CacheUse::kHit), a duty, or a place to wait.
using CacheLookup = std::variant<InferResult, CacheLead, CacheSeat>;

/// `bytes_max`: of keys and answers with their overhead. `waiters_max`: requests waiting for one that runs.
struct ResponseCacheOptions {
  std::uint64_t bytes_max = 0;
  std::size_t waiters_max = 1024;
};

/// The cache of one version.  Thread-safe.
class ResponseCache : public std::enable_shared_from_this<ResponseCache> {
 public:
  /// `clock` lives longer than the cache.
  static std::shared_ptr<ResponseCache> make(ResponseCacheOptions options, ResponseCacheMetrics metrics,
                                             const Clock& clock = Clock::system());
  ~ResponseCache();
  ResponseCache(const ResponseCache&) = delete;
  ResponseCache& operator=(const ResponseCache&) = delete;

  /// `request` has been checked against the signature. `waiter` stands for it and is kept only with a CacheSeat.
  /// Errors: kResourceExhausted when too many wait already.
  [[nodiscard]] Result<CacheLookup> find_or_join(const InferRequest& request, std::shared_ptr<CacheWaiter> waiter);

  /// Answers those who wait and whose deadline is at or before `now` with kDeadlineExceeded. Needed only where nobody
  /// calls leave() at a deadline; expired ones never get a lead or a late answer anyway.
  void expire(TimePoint now);
  /// The earliest deadline of those who wait; kNever when there is none.
  [[nodiscard]] TimePoint next_deadline() const;

  /// The version is gone: frees all answers and keeps none from now on. Those who wait are served still.
  void close();

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t entries() const;

 private:
  friend class CacheLead;
  friend class CacheSeat;
  struct Entry;
  using Entries = std::list<std::shared_ptr<const Entry>>;

  ResponseCache(ResponseCacheOptions options, ResponseCacheMetrics metrics, const Clock& clock);

  void finish(const std::shared_ptr<CacheFlight>& flight, Result<InferResult>& result);
  void hand_over(const std::shared_ptr<CacheFlight>& flight);
  bool leave(CacheFlight& flight, std::uint64_t number);
  [[nodiscard]] std::shared_ptr<const Entry> make_entry(const CacheKey& key, const InferResult& result) const;
  /// Both with mutex_ held. What falls out goes to `dropped`, to be freed without the lock.
  void insert(std::shared_ptr<const Entry> entry, Entries& dropped);
  void drop(Entries::iterator entry, Entries& dropped);
  void forget(const std::shared_ptr<CacheFlight>& flight);
  void show_size() const;

  const ResponseCacheOptions options_;
  const ResponseCacheMetrics metrics_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  // Guarded by mutex_. One entry and one flight for each hash: the rare second key of a hash is not cached.
  Entries entries_;  // most recently used first
  std::unordered_map<std::uint64_t, Entries::iterator> index_;
  std::unordered_map<std::uint64_t, std::shared_ptr<CacheFlight>> flights_;
  std::uint64_t bytes_ = 0;
  std::uint64_t seats_ = 0;
  bool closed_ = false;
};

}  // namespace protean
