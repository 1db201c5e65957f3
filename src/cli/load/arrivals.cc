// SPDX-License-Identifier: Apache-2.0
// Constant arrivals are computed from their index, so that no error adds up over a long run.
#include "cli/load/arrivals.h"

#include <cmath>

namespace protean {
namespace {

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
std::uint64_t split_mix(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

Duration from_seconds(double seconds) noexcept { return Duration(std::llround(seconds * 1e9)); }

}  // namespace

Arrivals::Arrivals(const ArrivalPlan& plan) noexcept
    : plan_(plan), index_(plan.offset), random_(plan.seed * 0x2545F4914F6CDD1DULL + plan.offset) {}

Duration Arrivals::next() noexcept {
  if (plan_.kind == ArrivalKind::kConstant) {
    const double seconds = static_cast<double>(index_) / plan_.rate;
    index_ += plan_.stride;
    return from_seconds(seconds);
  }
  // (0, 1], so that the logarithm is finite.
  const double unit = (static_cast<double>(split_mix(random_) >> 11) + 1) * 0x1p-53;
  seconds_ += -std::log(unit) * static_cast<double>(plan_.stride) / plan_.rate;
  return from_seconds(seconds_);
}

}  // namespace protean
