// SPDX-License-Identifier: Apache-2.0
// The shape of what a file says. A pickle can make values that hold themselves and chains of any length; whoever reads
// values goes from holder to held, so both are refused before anybody does.
#pragma once

#include "backends/scikit_learn/pickle_value.h"
#include "base/result.h"

namespace protean::sklearn {

/// Values inside each other, counted from the root. scikit-learn's own models stay below 50.
inline constexpr unsigned kValueDepthMax = 250;

/// That no value reachable from `root` holds itself, and none lies deeper than kValueDepthMax.
/// Takes time with the values and what they hold, and no stack.  Errors: kInvalidArgument.
[[nodiscard]] Status check_value_graph(const ValuePool& pool, Ref root);

}  // namespace protean::sklearn
