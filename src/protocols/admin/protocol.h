// SPDX-License-Identifier: Apache-2.0
// The dialect of the admin listener.
#pragma once

#include <memory>

#include "core/protocol.h"

namespace protean {

/// Claims `/admin` and everything below it.  Stateless, thread-safe.
[[nodiscard]] std::unique_ptr<Protocol> make_admin();

}  // namespace protean
