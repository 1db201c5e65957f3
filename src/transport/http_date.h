// SPDX-License-Identifier: Apache-2.0
// The `date` field of answers (RFC 9110 6.6.1), formatted once a second and thread.
#pragma once

#include <string_view>

namespace protean {

/// `Sun, 06 Nov 1994 08:49:37 GMT` for now.  Valid until the next call on this thread.
[[nodiscard]] std::string_view http_date_now() noexcept;

}  // namespace protean
