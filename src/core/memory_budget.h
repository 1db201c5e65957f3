// SPDX-License-Identifier: Apache-2.0
// A bound on the bytes that requests in flight may hold together, so that many large bodies at once are
// refused one by one instead of ending the process.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace protean {

/// Thread-safe. Outlives every Reservation made from it.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Adds to what is held; false, and nothing added, when that would pass the bound.
  [[nodiscard]] bool try_take(std::size_t bytes) noexcept {
    std::size_t held = held_.load(std::memory_order_relaxed);
    do {
      if (bytes > bytes_max_ - held) return false;
    } while (!held_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::size_t bytes) noexcept { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t held() const noexcept { return held_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t bytes_max() const noexcept { return bytes_max_; }

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> held_{0};
};

/// Bytes taken from a budget, given back at the end of its life.  Movable; grows and never shrinks.
class Reservation {
 public:
  explicit Reservation(MemoryBudget& budget) noexcept : budget_(&budget) {}
  Reservation(Reservation&& other) noexcept : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  Reservation& operator=(Reservation&&) = delete;
  ~Reservation() { budget_->give_back(bytes_); }

  /// Holds at least `bytes` in total afterwards; false when the budget is spent.
  [[nodiscard]] bool grow_to(std::size_t bytes) noexcept {
    if (bytes <= bytes_) return true;
    if (!budget_->try_take(bytes - bytes_)) return false;
    bytes_ = bytes;
    return true;
  }

 private:
  MemoryBudget* budget_;
  std::size_t bytes_ = 0;
};

}  // namespace protean
