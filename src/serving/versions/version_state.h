// SPDX-License-Identifier: Apache-2.0
// The life of one incarnation of a version: one set of files, loaded once. A version whose files are replaced has two
// for a while, the one that serves and the one that is coming; each walks through these states by itself.
#pragma once

#include <string_view>

namespace protean {

/// A version without an incarnation is known or, when it loads at the first request, asleep.
///
///   known ───> kQueued ───> kLoading ───> kWarming ───> kMakingRoom ───> kReady <───> kRetiring
///   asleep ──>  │  ^ ^         │             │               │             │ evicted,     │ not chosen any more,
///               │  │ └─────────┼─ kRetryWait <┤ <─────────────┤             │ idle, gone   │ kept for a rollback
///   withdrawn   │  │ asked,    │      │       │               │             v              │
///               v  │ new files v      v       v               v          kUnloading <─────┘
///             kGone └──────── kFailed <───────┴───────────────┘             │ last request ended
///               ^                │ withdrawn                                v
///               └────────────────┴─────────────────────────────────────── kGone
///
/// kLoading also ends in kReady (nothing to warm, room enough) and, when nobody wants the version any more by then,
/// any of the three in kUnloading. A loaded one that finds no room leaves kMakingRoom for kUnloading as well.
enum class Life : unsigned char {
  kQueued,
  kLoading,
  kWarming,
  kMakingRoom,
  kReady,
  kRetiring,
  kUnloading,
  kRetryWait,
  kFailed,
  kGone,
};

/// `queued` and so on.
[[nodiscard]] std::string_view life_name(Life life) noexcept;

/// Whether the picture above has this arrow.
[[nodiscard]] bool may_follow(Life from, Life to) noexcept;

/// A loader thread works on it, or waits for memory with it in hand.
[[nodiscard]] constexpr bool is_in_progress(Life life) noexcept {
  return life == Life::kLoading || life == Life::kWarming || life == Life::kMakingRoom;
}

}  // namespace protean
