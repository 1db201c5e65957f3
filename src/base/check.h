// SPDX-License-Identifier: Apache-2.0
// PROTEAN_CHECK: a broken invariant of our own ends the process with the place and the condition.
// It stays on in release builds. What the outside world sends is never checked with it: that is an Error.
#pragma once

namespace protean {

/// Prints `file:line: invariant broken: condition` to standard error and aborts.  Thread-safe.
[[noreturn]] void check_failed(const char* file, int line, const char* condition) noexcept;

}  // namespace protean

#define PROTEAN_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::protean::check_failed(__FILE__, __LINE__, #condition))
