// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259, with Python's NaN and Infinity) as nodes of a ValuePool, so that a skops schema is read with the same
// tools as a pickle.
#pragma once

#include <string_view>

#include "backends/scikit_learn/pickle_value.h"
#include "base/result.h"

namespace protean::sklearn {

/// `depth_max`: of lists and dicts inside each other.  Texts are views of `text` or the pool's.
/// Errors: kInvalidArgument, with the byte.
[[nodiscard]] Result<Ref> read_json(std::string_view text, ValuePool& pool, unsigned depth_max);

}  // namespace protean::sklearn
