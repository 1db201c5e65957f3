// SPDX-License-Identifier: Apache-2.0
// The end of the line for a broken invariant: says where, then aborts so that a core shows why.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace protean {

void check_failed(const char* file, int line, const char* condition) noexcept {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
  std::abort();
}

}  // namespace protean
