// SPDX-License-Identifier: Apache-2.0
// What the repository does next, as pure functions of what it sees: decide() for the versions of one model, room_for()
// for the memory that all share. They are asked again whenever something about the model or the memory changed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "core/model_config.h"
#include "serving/versions/version_state.h"

namespace protean {

/// Model, then version.
using VersionKey = std::pair<std::string, std::uint64_t>;

/// One version as the policy sees it.
struct VersionView {
  std::uint64_t number = 0;
  // what lies in the source
  bool present = true;
  bool loadable = true;  // false: its configuration cannot be read
  std::uint64_t fingerprint = 0;
  TimePoint settled_at{};  // files must have been unchanged, or gone, until then before they are acted upon
  // what people want of it
  bool aliased = false;                // an alias other than `previous` points to it
  bool is_default = false;             // requests that name no version get it
  bool asked = false;                  // a request waits for it, or a command loads it
  bool forced = false;                 // a command wants it loaded again although its files did not change
  bool dormant = false;                // evicted: loads only when asked
  bool fresh = false;                  // has never been loaded
  TimePoint default_left_at = kNever;  // when the default moved away from it; kNever: it did not
  // what is loaded
  bool serving = false;
  bool retiring = false;
  bool in_flight = false;
  bool departing = false;  // an incarnation before still holds memory
  bool returns = true;     // once unloaded it could be loaded again: neither its new files nor its configuration failed
  std::uint64_t serving_fingerprint = 0;
  TimePoint last_used{};
  // what is on its way
  std::optional<Life> coming;
  std::uint64_t coming_fingerprint = 0;
  TimePoint next_attempt{};
  bool exhausted = false;  // it was tried as often as is allowed while nobody asks
};

/// `versions`: ascending.  `departing`: unloaded versions of this model that still hold memory.
struct ModelView {
  const ModelConfig& config;
  std::span<const VersionView> versions;
  bool held_down = false;
  bool departing = false;
};

/// kQueue: load as soon as a loader is free.  kWithdraw: nobody wants what is coming any more.  kSleep: unload, load
/// again when asked.  kForget: nothing is left of it.
struct Step {
  enum class Kind : unsigned char { kQueue, kWithdraw, kRetire, kRevive, kUnload, kSleep, kForget };
  Kind kind = Kind::kQueue;
  std::uint64_t version = 0;
  friend bool operator==(const Step&, const Step&) = default;
};

/// `look_again`: when the answer may differ although nothing happens meanwhile; kNever if not.
struct Decision {
  std::vector<Step> steps;
  TimePoint look_again = kNever;
};

/// Everything to be done about one model now. Requires that the caller carries the steps out and then asks again: a
/// second answer without a change in between has no steps.
/// Availability-preserving: a version that serves is not taken away before another one that is wanted serves.
/// Resource-preserving: nothing new is loaded before what is not wanted has left the memory.
[[nodiscard]] Decision decide(const ModelView& model, TimePoint now);

/// Whether the policy of the configuration, an alias or nobody wants the version at `index`.
[[nodiscard]] bool is_wanted(const ModelView& model, std::size_t index);

/// The version for requests that name none, as long as nobody has set the alias `default`: the newest wanted one that
/// serves or will when asked, else the newest that still serves. nullopt: none. A version that was never loaded does
/// not take the default over from one that serves before it serves itself.
[[nodiscard]] std::optional<std::uint64_t> automatic_default(const ModelView& model);

/// A loaded version that might make room.
struct Resident {
  VersionKey key;
  std::uint64_t bytes = 0;
  bool in_flight = false;
  bool retiring = false;
  bool aliased = false;
  TimePoint last_used{};
};

/// Bytes are private memory, as measured.  `budget`: 0 for none.  `used`: loaded versions, departing ones included.
/// `departing`: part of `used` that is on its way out.  `reserved`: for other loads in progress.
/// `evictable`: what may go for this load's sake, in any order; empty when it may not evict.
struct RoomQuestion {
  std::uint64_t budget = 0;
  std::uint64_t used = 0;
  std::uint64_t departing = 0;
  std::uint64_t reserved = 0;
  std::uint64_t needed = 0;
  std::span<const Resident> evictable;
};

struct RoomAnswer {
  enum class Kind : unsigned char { kFits, kWaitForDeparting, kEvict, kDoesNotFit };
  Kind kind = Kind::kFits;
  std::vector<VersionKey> victims;
  std::string reason;  // of kDoesNotFit, with the numbers
};

/// Victims: versions that are kept for a rollback only come first, then those unused for longest, then those an alias
/// points to, last those with requests in flight (whose memory comes back when these end).
[[nodiscard]] RoomAnswer room_for(const RoomQuestion& question);

/// Wait before attempt `failed_attempts` + 1.
[[nodiscard]] Duration retry_wait(const LoadRetries& retries, std::uint32_t failed_attempts);

/// `12.3 MB`.
[[nodiscard]] std::string format_megabytes(std::uint64_t bytes);

}  // namespace protean
