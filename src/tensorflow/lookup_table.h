// SPDX-License-Identifier: Apache-2.0
// The contents of a lookup table, however it is filled.
#pragma once

#include "tensorflow/literal.h"

namespace protean {

/// keys[i] leads to values[i]; both flat.
struct LookupTable {
  Literal keys;
  Literal values;
};

}  // namespace protean
