// SPDX-License-Identifier: Apache-2.0
// The operating system's monotonic clock behind the Clock contract.
#include "base/clock.h"

namespace protean {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const Clock& Clock::system() noexcept {
  static const SystemClock clock;
  return clock;
}

}  // namespace protean
