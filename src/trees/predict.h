// SPDX-License-Identifier: Apache-2.0
// Rows through an ensemble: margins and leaves. One row walks several trees side by side, so that their memory accesses
// overlap; many rows walk one tree side by side, eight at a time where the processor has AVX2 (asked at run time).
#pragma once

#include <cstdint>
#include <span>

#include "trees/ensemble.h"

namespace protean {

/// The margins of each row: `out` is [rows, outputs]. With SumType::kFloat32 every number is a float's.
/// `rows`: [rows, features], NaN where missing. Floats also for an ensemble of RowType::kFloat64 (they are widened);
/// doubles for one of kFloat32 are rounded to float first.
/// Requires rows.size() == out.size() / outputs * features.  Thread-safe; never blocks. The same bits for a row
/// whatever the rows beside it and the processor.
void predict_margins(const TreeEnsemble& ensemble, std::span<const float> rows, std::span<double> out);
void predict_margins(const TreeEnsemble& ensemble, std::span<const double> rows, std::span<double> out);

/// TreeNode::id of the leaf that each row reaches in each tree: `out` is [rows, trees]. Otherwise as predict_margins().
void find_leaves(const TreeEnsemble& ensemble, std::span<const float> rows, std::span<std::uint32_t> out);
void find_leaves(const TreeEnsemble& ensemble, std::span<const double> rows, std::span<std::uint32_t> out);

}  // namespace protean
