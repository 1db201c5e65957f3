// SPDX-License-Identifier: Apache-2.0
// What users say, as the server takes it.
#pragma once

#include "cli/options.h"
#include "server/server.h"

namespace protean {

[[nodiscard]] ServerOptions server_options(const ServeOptions& options);

}  // namespace protean
