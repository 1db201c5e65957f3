// SPDX-License-Identifier: Apache-2.0
// Time as a dependency. Whatever depends on time takes a Clock, so that tests move it by hand.
#pragma once

#include <chrono>

namespace protean {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

/// "Never": later than every deadline.
inline constexpr TimePoint kNever = TimePoint::max();

/// Monotonic time.  Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const noexcept = 0;

  /// The process-wide clock of the operating system; lives for ever.
  static const Clock& system() noexcept;
};

}  // namespace protean
