// SPDX-License-Identifier: Apache-2.0
// Writes sorted tables for tests, by LevelDB's doc/table_format.md.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace protean {

struct TableForm {
  bool compressed = false;
  std::size_t entries_per_block = 4;
};

/// A block with one restart point, keys sharing prefixes.
[[nodiscard]] std::string block_of(const std::vector<std::pair<std::string, std::string>>& entries);
/// Entries as they are given, in order or not.
[[nodiscard]] std::string write_table(const std::vector<std::pair<std::string, std::string>>& entries,
                                      const TableForm& form);
/// One data block of the given bytes and kind of compression, with good checksums around it.
[[nodiscard]] std::string table_of_block(const std::string& block, char compression);

}  // namespace protean
