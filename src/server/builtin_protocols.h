// SPDX-License-Identifier: Apache-2.0
// The list of dialects the default listener speaks, in the order they are asked whether a path is theirs.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/metrics.h"
#include "core/operation.h"
#include "core/protocol.h"

namespace protean {

struct ProtocolOptions {
  std::size_t json_depth_max = 64;
};

/// `registry` outlives the protocols.
[[nodiscard]] std::vector<std::unique_ptr<Protocol>> make_builtin_protocols(const ProtocolOptions& options,
                                                                            metrics::Registry& registry);

}  // namespace protean
