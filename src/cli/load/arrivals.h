// SPDX-License-Identifier: Apache-2.0
// When the requests of an open loop are due, whatever the server does: a schedule made from rate and seed alone.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace protean {

/// kConstant: evenly spaced.  kPoisson: independent of each other, as requests of many users are.
enum class ArrivalKind : unsigned char { kConstant, kPoisson };

/// `rate`: a second, > 0.  `offset`, `stride`: of kConstant, this schedule takes every stride-th arrival from the
/// offset-th on, so that several threads share one schedule; of kPoisson, they divide the rate.
struct ArrivalPlan {
  ArrivalKind kind = ArrivalKind::kConstant;
  double rate = 1;
  std::uint64_t offset = 0;
  std::uint64_t stride = 1;
  std::uint64_t seed = 1;
};

class Arrivals {
 public:
  explicit Arrivals(const ArrivalPlan& plan) noexcept;
  /// Time of the next arrival since the beginning; never decreases.
  [[nodiscard]] Duration next() noexcept;

 private:
  const ArrivalPlan plan_;
  std::uint64_t index_;
  std::uint64_t random_;
  double seconds_ = 0;
};

}  // namespace protean
