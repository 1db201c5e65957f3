// SPDX-License-Identifier: Apache-2.0
// A request that asks several functions of one model at once: each runs as a request of its own.
#pragma once

#include <memory>

#include "server/call.h"

namespace protean {

/// Requires a call with an InferManyRequest. All run on one version; finish() follows once, with the results in the
/// order asked for or the first error.  Thread-safe.
void serve_many(RequestPath& path, const std::shared_ptr<Call>& call);

}  // namespace protean
