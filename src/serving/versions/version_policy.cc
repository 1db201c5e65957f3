// SPDX-License-Identifier: Apache-2.0
// The policy behind version_policy.h; no state, no input or output.
#include "serving/versions/version_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace protean {
namespace {

using Kind = Step::Kind;

bool is_chosen(const ModelView& model, std::size_t index) {
  const VersionPolicy& policy = model.config.versions;
  const auto versions = model.versions;
  if (!versions[index].present) return false;
  if (policy.choice == VersionPolicy::Choice::kListed) {
    return std::find(policy.listed.begin(), policy.listed.end(), versions[index].number) != policy.listed.end();
  }
  if (policy.choice == VersionPolicy::Choice::kAll) return true;
  const auto newer = std::count_if(versions.begin() + static_cast<std::ptrdiff_t>(index) + 1, versions.end(),
                                   [](const auto& v) { return v.present; });
  return newer < static_cast<std::ptrdiff_t>(policy.latest);
}

/// By the configuration or an alias.
bool is_called_for(const ModelView& model, std::size_t index) {
  const VersionView& version = model.versions[index];
  return !model.held_down && version.present && (version.aliased || is_chosen(model, index));
}

bool is_lazy(const ModelView& model, const VersionView& version) {
  return model.config.residency.on_demand || version.dormant;
}

bool other_serves(const ModelView& model, const VersionView& version) {
  return std::any_of(model.versions.begin(), model.versions.end(),
                     [&](const auto& other) { return other.serving && other.number != version.number; });
}

/// A model that is in use gets its newest version before anybody asks for it: the change is not to be noticed.
bool succeeds(const ModelView& model, const VersionView& version) {
  const auto newest =
      std::find_if(model.versions.rbegin(), model.versions.rend(), [](const auto& v) { return v.present; });
  return version.fresh && newest != model.versions.rend() && newest->number == version.number &&
         other_serves(model, version);
}

/// Decides about one model; the answer collects in `decision`.
class Decider {
 public:
  Decider(const ModelView& model, TimePoint now) : model_(model), now_(now) {
    for (std::size_t i = 0; i < model.versions.size(); ++i) {
      const VersionView& version = model.versions[i];
      wanted_.push_back(is_wanted(model, i));
      // One that cannot be loaded yet is no reason to give up the one that serves.
      any_wanted_ = any_wanted_ || is_called_for(model, i);
      if (!wanted_.back()) continue;
      if (version.serving) wanted_serves_ = true;
      // A version that failed for good is not on its way: what vanished must not be kept for its sake.
      if (!version.serving && needs_load(version) && version.coming != Life::kFailed) on_its_way_ = true;
    }
  }

  Decision run() {
    // The default before the others, then the newest: what most requests want is there first.
    for (std::size_t i = model_.versions.size(); i-- > 0;) {
      if (model_.versions[i].is_default) load_side(i);
    }
    for (std::size_t i = model_.versions.size(); i-- > 0;) {
      if (!model_.versions[i].is_default) load_side(i);
    }
    for (std::size_t i = 0; i < model_.versions.size(); ++i) serve_side(i);
    return std::move(decision_);
  }

 private:
  void add(Kind kind, const VersionView& version) { decision_.steps.push_back({kind, version.number}); }
  void look_at(TimePoint when) { decision_.look_again = std::min(decision_.look_again, when); }

  [[nodiscard]] bool needs_load(const VersionView& version) const {
    if (version.forced) return true;
    if (version.serving) return version.serving_fingerprint != version.fingerprint;
    return version.asked || !is_lazy(model_, version) || succeeds(model_, version);
  }

  void load_side(std::size_t index) {
    const VersionView& version = model_.versions[index];
    if (!wanted_[index]) {
      if (version.coming && !is_in_progress(*version.coming)) add(Kind::kWithdraw, version);
      return;
    }
    if (!version.coming) {
      if (needs_load(version)) queue_when_possible(version);
      return;
    }
    const bool new_files = version.coming_fingerprint != version.fingerprint;
    if (*version.coming == Life::kQueued) {
      if (!needs_load(version)) add(Kind::kWithdraw, version);
    } else if (*version.coming == Life::kFailed) {
      if (new_files || version.forced) queue_when_possible(version);
    } else if (*version.coming == Life::kRetryWait) {
      if (new_files || version.forced) return queue_when_possible(version);
      if (!needs_load(version) || (version.exhausted && !version.asked)) return;  // asleep: somebody has to ask
      version.next_attempt <= now_ ? queue_when_possible(version) : look_at(version.next_attempt);
    }
  }

  void queue_when_possible(const VersionView& version) {
    if (now_ < version.settled_at) return look_at(version.settled_at);
    if (!model_.config.versions.availability_preserving) {
      if (version.serving) return add(Kind::kUnload, version);  // its files were replaced: the old ones leave first
      if (model_.departing || unwanted_serves()) return;        // asked again when they have left
    }
    add(Kind::kQueue, version);
  }

  [[nodiscard]] bool unwanted_serves() const {
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      if (!wanted_[i] && model_.versions[i].serving) return true;
    }
    return false;
  }

  void serve_side(std::size_t index) {
    const VersionView& version = model_.versions[index];
    const bool leaves = std::find(decision_.steps.begin(), decision_.steps.end(),
                                  Step{Kind::kUnload, version.number}) != decision_.steps.end();
    if (leaves) return;
    if (!version.serving) {
      if (!version.present && !version.coming && !version.departing) add(Kind::kForget, version);
      return;
    }
    if (!version.present && !model_.held_down && now_ < version.settled_at) return look_at(version.settled_at);
    if (wanted_[index]) {
      if (version.retiring) add(Kind::kRevive, version);
      return sleep_when_idle(version);
    }
    if (model_.held_down || !any_wanted_) return add(Kind::kUnload, version);
    if (!model_.config.versions.availability_preserving) return add(Kind::kUnload, version);
    if (!wanted_serves_ && (version.present || on_its_way_)) return;  // serves until another one does
    if (!version.present) return add(Kind::kUnload, version);
    const TimePoint keep_until =
        version.default_left_at == kNever ? now_ : version.default_left_at + model_.config.versions.keep_previous;
    if (keep_until <= now_) return add(Kind::kUnload, version);
    if (!version.retiring) add(Kind::kRetire, version);
    look_at(keep_until);
  }

  void sleep_when_idle(const VersionView& version) {
    const ResidencyConfig& residency = model_.config.residency;
    if (!residency.on_demand || residency.pinned || residency.idle_unload <= Duration::zero()) return;
    if (version.asked || (version.coming && is_in_progress(*version.coming))) return;
    if (!version.returns) return;
    const TimePoint idle_at = version.last_used + residency.idle_unload;
    if (now_ < idle_at) return look_at(idle_at);
    if (version.in_flight) return look_at(now_ + residency.idle_unload);
    add(Kind::kSleep, version);
  }

  const ModelView& model_;
  const TimePoint now_;
  std::vector<bool> wanted_;
  bool any_wanted_ = false;
  bool wanted_serves_ = false;
  bool on_its_way_ = false;
  Decision decision_;
};

}  // namespace

bool is_wanted(const ModelView& model, std::size_t index) {
  return model.versions[index].loadable && is_called_for(model, index);
}

Decision decide(const ModelView& model, TimePoint now) { return Decider(model, now).run(); }

std::optional<std::uint64_t> automatic_default(const ModelView& model) {
  std::optional<std::uint64_t> serving;
  for (std::size_t i = model.versions.size(); i-- > 0;) {
    const VersionView& version = model.versions[i];
    const bool wakes = is_lazy(model, version) && version.coming != Life::kFailed &&
                       (version.is_default || !version.fresh || !other_serves(model, version));
    if (is_wanted(model, i) && (version.serving || wakes)) return version.number;
    if (version.serving && !serving) serving = version.number;
  }
  return serving;
}

RoomAnswer room_for(const RoomQuestion& question) {
  using Answer = RoomAnswer::Kind;
  if (question.budget == 0) return {Answer::kFits, {}, {}};
  const std::uint64_t taken = question.used + question.reserved;
  const auto fits = [&](std::uint64_t freed) {
    return question.needed <= question.budget && taken - std::min(taken, freed) <= question.budget - question.needed;
  };
  if (fits(0)) return {Answer::kFits, {}, {}};
  if (fits(question.departing)) return {Answer::kWaitForDeparting, {}, {}};
  std::vector<const Resident*> order;
  for (const auto& resident : question.evictable) order.push_back(&resident);
  const auto rank = [](const Resident* r) { return std::tuple(r->in_flight, !r->retiring, r->aliased, r->last_used); };
  std::sort(order.begin(), order.end(), [&](const Resident* a, const Resident* b) {
    return std::tuple(rank(a), a->key) < std::tuple(rank(b), b->key);
  });
  RoomAnswer answer{Answer::kEvict, {}, {}};
  std::uint64_t freed = question.departing;
  for (const Resident* resident : order) {
    freed += resident->bytes;
    answer.victims.push_back(resident->key);
    if (fits(freed)) return answer;
  }
  const std::uint64_t stays = taken - std::min(taken, freed);
  return {Answer::kDoesNotFit,
          {},
          fmt::format("needs {} of memory, but the budget is {} and {} of it cannot be given up",
                      format_megabytes(question.needed), format_megabytes(question.budget), format_megabytes(stays))};
}

Duration retry_wait(const LoadRetries& retries, std::uint32_t failed_attempts) {
  Duration wait = std::min(retries.wait_first, retries.wait_max);
  for (std::uint32_t i = 1; i < failed_attempts && wait < retries.wait_max; ++i) {
    wait = std::min(wait > retries.wait_max / 2 ? retries.wait_max : wait * 2, retries.wait_max);
  }
  return wait;
}

std::string format_megabytes(std::uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

}  // namespace protean
