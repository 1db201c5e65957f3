// SPDX-License-Identifier: Apache-2.0
// Two JSON answers, value by value. Order of members does not matter, text of numbers does not make a difference, and
// what is only written differently is noted as such.
#pragma once

#include <string_view>

#include "migrate/difference.h"

namespace protean::migrate {

/// Adds to `out` what differs between two JSON texts. `path` is what the root is called.
/// Integers are compared exactly; numbers of which one has a fraction or an exponent within `tolerance`. A string
/// member named `error` or `error_message` that differs is of kind kText, one named `version` of kind kVersion. Text
/// that is not JSON is compared byte by byte: kUnreadable when it differs.
void compare_json(Comparison& out, const Path& path, std::string_view from, std::string_view to, double tolerance);

}  // namespace protean::migrate
