// SPDX-License-Identifier: Apache-2.0
// The answers a transport gives by itself, before any protocol has seen the request: always JSON, always
// `{"error":"..."}`, so that clients of every dialect find a sentence for people in it.
#pragma once

#include <string_view>

#include "core/http.h"

namespace protean {

/// `message` may hold anything: it is quoted as JSON.
[[nodiscard]] Response error_response(int status, std::string_view message);

}  // namespace protean
