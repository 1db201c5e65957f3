// SPDX-License-Identifier: Apache-2.0
// The policy behind version_policy.h; no state, no input or output.
#include "serving/versions/version_policy.h"

#include <algorithm>

namespace protean {
namespace {

bool needs_load(const PolicyInput& input, const VersionKey& key, const DesiredVersion& desired) {
  const auto actual = input.actual.find(key);
  return actual == input.actual.end() || actual->second.tried != desired.fingerprint;
}

}  // namespace

std::optional<Action> next_action(const PolicyInput& input) {
  for (const auto& [key, desired] : input.desired) {
    if (needs_load(input, key, desired) && input.now - desired.unchanged_since >= input.settle) {
      return Action{Action::Kind::kLoad, key};
    }
  }
  for (const auto& [key, actual] : input.actual) {
    if (!input.desired.contains(key)) return Action{Action::Kind::kUnload, key};
  }
  return std::nullopt;
}

TimePoint next_settled(const PolicyInput& input) {
  TimePoint next = kNever;
  for (const auto& [key, desired] : input.desired) {
    if (needs_load(input, key, desired)) next = std::min(next, desired.unchanged_since + input.settle);
  }
  return next;
}

}  // namespace protean
