// SPDX-License-Identifier: Apache-2.0
// The arrows of the picture in version_state.h as a table.
#include "serving/versions/version_state.h"

#include <array>
#include <cstdint>

namespace protean {
namespace {

constexpr std::uint32_t to(Life life) noexcept { return 1U << static_cast<unsigned>(life); }

constexpr std::array<std::uint32_t, 10> kArrows = {
    /* kQueued     */ to(Life::kLoading) | to(Life::kFailed) | to(Life::kRetryWait) | to(Life::kGone),
    /* kLoading    */ to(Life::kWarming) | to(Life::kMakingRoom) | to(Life::kReady) | to(Life::kRetryWait) |
        to(Life::kFailed) | to(Life::kUnloading) | to(Life::kGone),
    /* kWarming    */ to(Life::kMakingRoom) | to(Life::kReady) | to(Life::kRetryWait) | to(Life::kFailed) |
        to(Life::kUnloading) | to(Life::kGone),
    /* kMakingRoom */ to(Life::kReady) | to(Life::kUnloading),
    /* kReady      */ to(Life::kRetiring) | to(Life::kUnloading),
    /* kRetiring   */ to(Life::kReady) | to(Life::kUnloading),
    /* kUnloading  */ to(Life::kGone),
    /* kRetryWait  */ to(Life::kQueued) | to(Life::kGone),
    /* kFailed     */ to(Life::kQueued) | to(Life::kGone),
    /* kGone       */ 0,
};

}  // namespace

std::string_view life_name(Life life) noexcept {
  constexpr std::array<std::string_view, 10> kNames = {"queued",   "loading",   "warming",    "making room", "ready",
                                                       "retiring", "unloading", "retry wait", "failed",      "gone"};
  return kNames[static_cast<std::size_t>(life)];
}

bool may_follow(Life from, Life next) noexcept { return (kArrows[static_cast<std::size_t>(from)] & to(next)) != 0; }

}  // namespace protean
