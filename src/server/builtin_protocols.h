// SPDX-License-Identifier: Apache-2.0
// The lists of what each listener speaks, in the order the protocols are asked whether a path is theirs.
#pragma once

#include <cstddef>

#include "base/metrics.h"
#include "core/operation.h"
#include "core/protocol.h"
#include "core/recorded_call.h"
#include "protocols/tensorflow_serving/protocol.h"
#include "server/request_path.h"

namespace protean {

/// `json_depth_max`: for all dialects, in place of their own.
struct ProtocolOptions {
  std::size_t json_depth_max = 64;
  TensorflowServingOptions tensorflow_serving = {};
};

/// `recordings`: reads the calls that one of them recorded beside a version.
struct BuiltinProtocols {
  ProtocolSets sets;
  RecordedCallReader recordings;
};

/// `registry` outlives the protocols.
[[nodiscard]] BuiltinProtocols make_builtin_protocols(const ProtocolOptions& options, metrics::Registry& registry);

}  // namespace protean
