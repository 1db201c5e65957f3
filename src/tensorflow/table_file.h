// SPDX-License-Identifier: Apache-2.0
// Sorted tables of LevelDB's format, which `variables.index` is one of: blocks of keys with shared prefixes, Snappy
// inside, checksums behind. The whole file is in memory; it holds names and places, not weights.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace protean {

/// Bounds on what a table may become in memory, whatever it claims.
struct TableFileLimits {
  std::size_t block_bytes_max = std::size_t{64} << 20U;
  std::size_t total_bytes_max = std::size_t{1} << 30U;
};

/// All entries in their order.  `where` names the file in messages.
/// Errors: kInvalidArgument for a broken table, a checksum that does not hold, keys out of order, more than `limits`.
/// Thread-safe.  Source: LevelDB doc/table_format.md.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> read_table_file(
    std::string_view file, std::string_view where, const TableFileLimits& limits = {});

}  // namespace protean
