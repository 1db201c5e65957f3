// SPDX-License-Identifier: Apache-2.0
// A request to explain becomes a job of its model's version.
#pragma once

#include "base/result.h"
#include "server/call.h"

namespace protean {

/// Gives the call the job that leaves its answer in Call::explanation: with the request's background, else the
/// version's own.  Requires an ExplainRequest and a version.
/// Errors: kInvalidArgument for a background that does not fit the model.
[[nodiscard]] Status prepare_explanation(Call& call);

}  // namespace protean
