// SPDX-License-Identifier: Apache-2.0
// skops archives: a zip with schema.json, a tree of typed nodes, and .npy members. The tree becomes the same nodes as a
// pickle would make, by the same allow-list, so that what follows does not know which it was.
#pragma once

#include <deque>

#include "backends/scikit_learn/pickle_value.h"
#include "backends/scikit_learn/zip_archive.h"
#include "base/result.h"

namespace protean::sklearn {

/// `archives`: keeps archives inside the archive (sparse matrices) alive as long as the nodes are used.
/// Errors: kInvalidArgument: no schema, a node or class that is not known, broken members.
/// Source: skops/io, protocol 0 to 2.
[[nodiscard]] Result<Ref> read_skops(ZipArchive& archive, std::deque<ZipArchive>& archives, ValuePool& pool);

}  // namespace protean::sklearn
