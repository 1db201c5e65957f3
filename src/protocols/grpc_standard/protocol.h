// SPDX-License-Identifier: Apache-2.0
// The services that gRPC tools expect of every server: health checking and server reflection.
#pragma once

#include <memory>

#include "core/protocol.h"

namespace protean {

/// grpc.health.v1.Health and grpc.reflection.v1 / v1alpha.ServerReflection.  Never null; constant after construction.
/// Health: the server as a whole (empty name) and each service of ours have the server's readiness.
/// Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md, .../doc/server-reflection.md
[[nodiscard]] std::unique_ptr<Protocol> make_grpc_standard();

}  // namespace protean
