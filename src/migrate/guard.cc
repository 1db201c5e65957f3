// SPDX-License-Identifier: Apache-2.0
// Two sliding shares and their bounds.
#include "migrate/guard.h"

#include <fmt/format.h>

#include <algorithm>

namespace protean::migrate {

void SlidingShare::add(bool yes) {
  if (count_ == seen_.size()) {
    yes_ -= seen_[next_] ? 1 : 0;
  } else {
    ++count_;
  }
  seen_[next_] = yes;
  yes_ += yes ? 1 : 0;
  next_ = (next_ + 1) % seen_.size();
}

void SlidingShare::clear() noexcept { next_ = count_ = yes_ = 0; }

std::optional<std::string> Guard::answered(bool error) {
  if (!options_.on) return std::nullopt;
  const std::lock_guard lock(mutex_);
  errors_.add(error);
  return judge();
}

std::optional<std::string> Guard::compared(bool different) {
  if (!options_.on) return std::nullopt;
  const std::lock_guard lock(mutex_);
  differences_.add(different);
  return judge();
}

void Guard::reset() {
  const std::lock_guard lock(mutex_);
  errors_.clear();
  differences_.clear();
}

std::optional<std::string> Guard::judge() {
  const auto breach = [this](const SlidingShare& seen, double max, const char* what) -> std::optional<std::string> {
    if (seen.count() < options_.samples_min || seen.share() <= max) return std::nullopt;
    return fmt::format("{:.1f} % of the last {} {}, expected at most {:.1f} %", seen.share() * 100, seen.count(), what,
                       max * 100);
  };
  auto why = breach(errors_, options_.errors_max, "answers of the new side were errors");
  if (!why) why = breach(differences_, options_.differences_max, "comparisons found a difference");
  if (why) {
    errors_.clear();
    differences_.clear();
  }
  return why;
}

}  // namespace protean::migrate
