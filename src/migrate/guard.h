// SPDX-License-Identifier: Apache-2.0
// The watch over traffic that has moved: when the new side errs or differs more often than it may, all of it goes back.
// A state machine without clock or thread; whoever owns it feeds it and does what it says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace protean::migrate {

/// Shares of the last `window` observations of each kind, above which traffic goes back; nothing is decided before
/// `samples_min` of them. Off unless `on`.
struct GuardOptions {
  bool on = false;
  double errors_max = 0.01;
  double differences_max = 0.01;
  std::size_t window = 500;
  std::size_t samples_min = 20;
};

/// The share of "yes" among the last observations.
class SlidingShare {
 public:
  explicit SlidingShare(std::size_t window) : seen_(window) {}
  void add(bool yes);
  void clear() noexcept;
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] double share() const noexcept {
    return count_ == 0 ? 0 : static_cast<double>(yes_) / static_cast<double>(count_);
  }

 private:
  std::vector<bool> seen_;
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  std::size_t yes_ = 0;
};

/// Thread-safe.
class Guard {
 public:
  explicit Guard(const GuardOptions& options)
      : options_(options), errors_(options.window), differences_(options.window) {}

  /// Each returns why traffic must go back, once for each breach; afterwards observation starts anew.
  [[nodiscard]] std::optional<std::string> answered(bool error);
  [[nodiscard]] std::optional<std::string> compared(bool different);
  /// Forgets what was observed: the weight has changed.
  void reset();

 private:
  [[nodiscard]] std::optional<std::string> judge();

  const GuardOptions options_;
  std::mutex mutex_;
  SlidingShare errors_;       // guarded by mutex_
  SlidingShare differences_;  // guarded by mutex_
};

}  // namespace protean::migrate
