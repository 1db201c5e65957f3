// SPDX-License-Identifier: Apache-2.0
// Interprets pickles (protocols 0 to 5) and what joblib writes as data: the opcodes build nodes of a ValuePool and
// nothing else. What would import, call, or take objects from elsewhere is a name in a node, or a refusal.
#pragma once

#include <string_view>

#include "backends/scikit_learn/pickle_value.h"
#include "base/result.h"

namespace protean::sklearn {

/// Reads one pickle from the start of `bytes`, with joblib's arrays between its opcodes where they occur. What follows
/// the STOP is not looked at. Each opcode makes at most one node, so that memory is bounded by the file's size.
/// The nodes are views of `bytes`.  Returns the root.
/// Errors: kInvalidArgument: truncated, malformed, a name that is not allowed, a feature that no model needs
/// (persistent ids, extension codes, out-of-band buffers). Takes time in proportion to the size.
/// Source: CPython Lib/pickle.py and pickletools.py; joblib/numpy_pickle.py.
[[nodiscard]] Result<Ref> read_pickle(std::string_view bytes, ValuePool& pool);

}  // namespace protean::sklearn
