// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms cheap enough for every request: each thread adds to cells of its own and
// a scrape sums them. Families are registered once; look-ups by label happen at load time, not per request.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace protean::metrics {

/// Threads with cells of their own; further threads share the last cell with atomic additions.
inline constexpr std::size_t kThreadSlots = 64;

/// This thread's slot, [0, kThreadSlots).  The slot is handed on when the thread ends.
[[nodiscard]] std::size_t thread_slot() noexcept;

/// A block of cells for each thread that has added something, made at the thread's first addition.
class Cells {
 public:
  explicit Cells(std::size_t count) : count_(count) {}
  ~Cells();
  Cells(const Cells&) = delete;
  Cells& operator=(const Cells&) = delete;

  /// Thread-safe, wait-free after the thread's first call.
  void add(std::size_t cell, std::uint64_t amount) noexcept;
  /// Both additions for the price of one look-up.
  void add_two(std::size_t first, std::uint64_t first_amount, std::size_t second, std::uint64_t second_amount) noexcept;
  /// Sum over threads; may lag additions in flight.  Thread-safe.
  [[nodiscard]] std::uint64_t sum(std::size_t cell) const noexcept;

 private:
  using Block = std::atomic<std::uint64_t>;
  [[nodiscard]] Block* block_of(std::size_t slot) noexcept;
  [[nodiscard]] Block* make_block(std::size_t slot) noexcept;
  std::size_t count_;
  std::array<std::atomic<Block*>, kThreadSlots> blocks_{};
};

/// Monotonic count.  Thread-safe.
class Counter {
 public:
  void add(std::uint64_t amount = 1) noexcept { cells_.add(0, amount); }
  [[nodiscard]] std::uint64_t value() const noexcept { return cells_.sum(0); }

 private:
  Cells cells_{1};
};

/// A level that goes up and down.  Thread-safe.
class Gauge {
 public:
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
  [[nodiscard]] double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Counts of integer observations (nanoseconds, bytes, rows) in fixed buckets.  Thread-safe.
class Histogram {
 public:
  /// `bounds`: ascending inclusive upper limits in the unit observed; an infinite bucket is added.
  /// `scale`: what one unit observed is in the unit exposed (1e-9 for nanoseconds shown as seconds).
  Histogram(std::span<const std::uint64_t> bounds, double scale);
  void observe(std::uint64_t value) noexcept;

  [[nodiscard]] std::span<const std::uint64_t> bounds() const noexcept { return bounds_; }
  [[nodiscard]] double scale() const noexcept { return scale_; }
  /// Observations in bucket i, not cumulative; i == bounds().size() is the infinite bucket.
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const noexcept { return cells_.sum(i); }
  [[nodiscard]] std::uint64_t sum() const noexcept { return cells_.sum(bounds_.size() + 1); }

 private:
  std::vector<std::uint64_t> bounds_;
  double scale_;
  Cells cells_;
};

/// Latency buckets in nanoseconds: 10 us to 10 s in steps of 1-2.5-5.
[[nodiscard]] std::span<const std::uint64_t> latency_bounds_ns() noexcept;

using Labels = std::vector<std::pair<std::string, std::string>>;
enum class Kind : unsigned char { kCounter, kGauge, kHistogram };

/// One labelled member of a family; exactly one of the pointers is set (a gauge in a family of counters is
/// a count that somebody else keeps).
struct Member {
  Labels labels;
  std::shared_ptr<Counter> counter;
  std::shared_ptr<Gauge> gauge;
  std::shared_ptr<Histogram> histogram;
};

/// All members of one metric name.  `name` carries its unit and, for counters, no `_total` (added on output).
struct Family {
  std::string name;
  std::string help;
  Kind kind;
  std::vector<Member> members;
};

/// Owns the families of a process.  Thread-safe. A member lives while the registry or a holder keeps it.
class Registry {
 public:
  /// Find or make the member with these labels.  The name must be registered with one kind and help only.
  std::shared_ptr<Counter> counter(std::string_view name, std::string_view help, Labels labels = {});
  std::shared_ptr<Gauge> gauge(std::string_view name, std::string_view help, Labels labels = {});
  /// A monotonic count kept elsewhere (CPU seconds in the kernel): a counter to the outside, set() by us.
  std::shared_ptr<Gauge> outside_counter(std::string_view name, std::string_view help, Labels labels = {});
  std::shared_ptr<Histogram> histogram(std::string_view name, std::string_view help, Labels labels,
                                       std::span<const std::uint64_t> bounds, double scale);
  /// Forgets members that carry all of these labels (an unloaded version).
  void remove(const Labels& labels);
  /// `refresh` runs before each snapshot: figures that are read, not counted (memory, file descriptors).
  void on_snapshot(std::function<void()> refresh);
  [[nodiscard]] std::vector<Family> snapshot() const;

 private:
  Member& member(std::string_view name, std::string_view help, Kind kind, Labels labels);

  mutable std::mutex mutex_;
  std::vector<Family> families_;                   // guarded by mutex_
  std::vector<std::function<void()>> refreshers_;  // guarded by mutex_
};

}  // namespace protean::metrics
