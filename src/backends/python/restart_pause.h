// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next worker is started: not at all after one that had answered something, otherwise 50
// ms, doubled with each that ends without an answer, up to 30 s.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace protean::python {

/// Not thread-safe.
class RestartPause {
 public:
  /// After a worker's end.
  Duration next(bool answered) noexcept {
    failures_ = answered ? 0 : failures_ + 1;
    if (failures_ == 0) return Duration::zero();
    return std::min<Duration>(kMost, kFirst * (1U << std::min(failures_ - 1, 16U)));
  }

 private:
  static constexpr Duration kFirst = std::chrono::milliseconds(50);
  static constexpr Duration kMost = std::chrono::seconds(30);

  std::uint32_t failures_ = 0;  // ends in a row without an answer between them
};

}  // namespace protean::python
