// SPDX-License-Identifier: Apache-2.0
// Bucket arithmetic. Below 128 ns a bucket holds one value; above, the upper 8 bits of the value name its bucket.
#include "base/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace protean {

std::size_t LatencyHistogram::bucket_of(std::uint64_t ns) noexcept {
  if (ns < kSub) return ns;
  const auto shift = static_cast<unsigned>(std::bit_width(ns)) - kSubBits - 1;
  return (shift + 1) * kSub + (ns >> shift) - kSub;
}

std::uint64_t LatencyHistogram::upper_bound(std::size_t bucket) noexcept {
  if (bucket < kSub) return bucket;
  const std::size_t shift = bucket / kSub - 1;
  return ((kSub + bucket % kSub + 1) << shift) - 1;
}

void LatencyHistogram::record(Duration latency) noexcept {
  constexpr std::int64_t kMax = (std::int64_t{1} << kValueBits) - 1;
  const std::int64_t ns = std::clamp<std::int64_t>(latency.count(), 0, kMax);
  ++buckets_[bucket_of(static_cast<std::uint64_t>(ns))];
  ++count_;
  sum_ns_ += static_cast<double>(ns);
  min_ = std::min(min_, Duration(ns));
  max_ = std::max(max_, Duration(ns));
}

void LatencyHistogram::merge(const LatencyHistogram& other) noexcept {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

Duration LatencyHistogram::quantile(double q) const noexcept {
  if (count_ == 0) return Duration::zero();
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::clamp(Duration(upper_bound(i)), min_, max_);
  }
  return max_;
}

Duration LatencyHistogram::mean() const noexcept {
  return count_ == 0 ? Duration::zero() : Duration(std::llround(sum_ns_ / static_cast<double>(count_)));
}

std::uint64_t LatencyHistogram::count_between(Duration above, Duration up_to) const noexcept {
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const Duration value(upper_bound(i));
    if (value > above && value <= up_to) found += buckets_[i];
  }
  return found;
}

}  // namespace protean
