// SPDX-License-Identifier: Apache-2.0
// Latencies without keeping each: a log-linear histogram, 128 buckets between one power of two and the next, so that
// a value is known to 1/128 of itself however large it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace protean {

/// Not thread-safe: one a thread, merged afterwards.
class LatencyHistogram {
 public:
  /// Negative durations count as zero, those above 73 minutes as that.
  void record(Duration latency) noexcept;
  void merge(const LatencyHistogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// The smallest recorded value that at least the share `q` (0 to 1) of all does not exceed, to 1/128 of it and never
  /// above max(); zero when empty.
  [[nodiscard]] Duration quantile(double q) const noexcept;
  [[nodiscard]] Duration mean() const noexcept;
  [[nodiscard]] Duration min() const noexcept { return count_ == 0 ? Duration::zero() : min_; }
  [[nodiscard]] Duration max() const noexcept { return max_; }
  /// How many lie in (above, up_to], to the resolution of the buckets.
  [[nodiscard]] std::uint64_t count_between(Duration above, Duration up_to) const noexcept;

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr unsigned kValueBits = 42;
  static constexpr std::size_t kSub = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBuckets = (kValueBits - kSubBits + 1) * kSub;

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t ns) noexcept;
  /// The largest value of the bucket.
  [[nodiscard]] static std::uint64_t upper_bound(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
  Duration min_ = Duration::max();
  Duration max_{};
};

}  // namespace protean
