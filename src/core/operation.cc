// SPDX-License-Identifier: Apache-2.0
// Spelling of version states, and what operations have in common.
#include "core/operation.h"

#include <utility>

namespace protean {

std::string_view version_state_name(VersionState state) noexcept {
  switch (state) {
    case VersionState::kLoading: return "LOADING";
    case VersionState::kReady: return "READY";
    case VersionState::kUnloading: return "UNLOADING";
    case VersionState::kUnavailable: return "UNAVAILABLE";
    case VersionState::kAsleep: return "ASLEEP";
  }
  return "UNKNOWN";
}

const InferRequest* inference_of(const Operation& operation) noexcept {
  if (const auto* explain = std::get_if<ExplainRequest>(&operation)) return &explain->infer;
  return std::get_if<InferRequest>(&operation);
}

InferRequest* inference_of(Operation& operation) noexcept {
  return const_cast<InferRequest*>(inference_of(std::as_const(operation)));
}

}  // namespace protean
