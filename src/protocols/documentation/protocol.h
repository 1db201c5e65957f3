// SPDX-License-Identifier: Apache-2.0
// The pages that explain a running server, as a protocol of their own.
#pragma once

#include <memory>

#include "core/protocol.h"

namespace protean {

/// Claims `/`, `/docs`, `/docs/page.css`, `/docs/page.js` and `/openapi.json`; anything but GET and HEAD is
/// answered 405.  Stateless, thread-safe.
[[nodiscard]] std::unique_ptr<Protocol> make_documentation();

}  // namespace protean
