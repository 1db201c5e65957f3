// SPDX-License-Identifier: Apache-2.0
// The mixing function; see the header.
#include "migrate/split.h"

namespace protean::migrate {

double spread(std::uint64_t counter) noexcept {
  std::uint64_t x = (counter + 1) * 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return static_cast<double>(x >> 11) * 0x1.0p-53;
}

}  // namespace protean::migrate
