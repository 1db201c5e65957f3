// SPDX-License-Identifier: Apache-2.0
// Which side answers: a share of the requests, chosen by hashing a counter, so that the share is met closely, requests
// of one client are spread, and nothing random is needed. The same generator picks the samples that are mirrored.
#pragma once

#include <atomic>
#include <cstdint>

#include "migrate/answer.h"

namespace protean::migrate {

/// Maps 0, 1, 2, ... to numbers in [0, 1) that look random.  Source: SplitMix64 (Steele, Lea, Flood 2014).
[[nodiscard]] double spread(std::uint64_t counter) noexcept;

/// Says yes for a share of the calls.  Thread-safe, wait-free.
class Share {
 public:
  /// `share`: 0 (never) to 1 (always).
  explicit Share(double share) noexcept : share_(share) {}
  [[nodiscard]] bool next() noexcept {
    return spread(counter_.fetch_add(1, std::memory_order_relaxed)) < share_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] double value() const noexcept { return share_.load(std::memory_order_relaxed); }
  /// Counts from now on; calls under way have been decided.
  void set(double share) noexcept { share_.store(share, std::memory_order_relaxed); }

 private:
  std::atomic<double> share_;
  std::atomic<std::uint64_t> counter_{0};
};

/// The weight of the new side.  Thread-safe.
class Split {
 public:
  explicit Split(double to) noexcept : to_(to) {}
  [[nodiscard]] Side next() noexcept { return to_.next() ? Side::kTo : Side::kFrom; }
  /// For calls that must not be spread: the side that gets most of the others.
  [[nodiscard]] Side majority() const noexcept { return to_.value() > 0.5 ? Side::kTo : Side::kFrom; }
  [[nodiscard]] double to() const noexcept { return to_.value(); }
  void set_to(double to) noexcept { to_.set(to); }

 private:
  Share to_;
};

}  // namespace protean::migrate
