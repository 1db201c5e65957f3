// SPDX-License-Identifier: Apache-2.0
// A request whose model answers in parts: it becomes a job that sends each part on as it is made.
#pragma once

#include "server/call.h"

namespace protean {

/// Makes `call` such a job if its client takes parts and its model makes them; otherwise does nothing.
/// Requires a call whose version is known.
void prepare_stream(Call& call);

}  // namespace protean
