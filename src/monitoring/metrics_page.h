// SPDX-License-Identifier: Apache-2.0
// GET /metrics as a protocol of its own, so that it goes the way of every other request.
#pragma once

#include <memory>

#include "base/metrics.h"
#include "core/protocol.h"

namespace protean {

/// Claims /metrics; anything but GET and HEAD is answered 405.  The registry outlives the protocol.
/// Thread-safe.
[[nodiscard]] std::unique_ptr<Protocol> make_metrics_page(metrics::Registry& registry);

}  // namespace protean
