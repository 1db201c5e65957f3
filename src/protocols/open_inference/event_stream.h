// SPDX-License-Identifier: Apache-2.0
// Answers in parts over HTTP: each part is a server-sent event whose data is the JSON of an answer.
#pragma once

#include <string_view>

#include "base/result.h"
#include "core/http.h"
#include "core/inference.h"

namespace protean {

/// `json`: an answer without a line break in its body.  `event`: the name of the event; empty: none.
/// Source: HTML Living Standard, 9.2 "Server-sent events".
[[nodiscard]] Response as_event(Response json, std::string_view event);

/// Events are text. Errors: kInvalidArgument when the request asks for binary outputs.
[[nodiscard]] Status refuse_binary_outputs(const InferRequest& request);

}  // namespace protean
