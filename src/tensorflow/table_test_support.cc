// SPDX-License-Identifier: Apache-2.0
// The writer's side of table_file.cc.
#include "tensorflow/table_test_support.h"

#include <snappy.h>

#include <algorithm>
#include <cstdint>

#include "base/crc32c.h"

namespace protean {
namespace {

std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7U) text += static_cast<char>(value | 0x80U);
  return text + static_cast<char>(value);
}

template <typename T>
std::string little_endian(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// Appends a block and its trailer; gives its handle.
std::string append_block(std::string& file, const std::string& block, char compression) {
  const auto handle = varint(file.size()) + varint(block.size());
  const auto checked = block + compression;
  file += checked + little_endian(mask_crc32c(extend_crc32c(0, checked)));
  return handle;
}

std::string with_footer(std::string file, const std::string& index_handle) {
  std::string footer = varint(0) + varint(0) + index_handle;
  footer.resize(40, '\0');
  return file + footer + little_endian(std::uint64_t{0xdb4775248b80fb57ULL});
}

}  // namespace

std::string block_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string block;
  std::string last;
  for (const auto& [key, value] : entries) {
    std::size_t shared = 0;
    while (shared < std::min(last.size(), key.size()) && last[shared] == key[shared]) ++shared;
    block += varint(shared) + varint(key.size() - shared) + varint(value.size()) + key.substr(shared) + value;
    last = key;
  }
  return block + little_endian(std::uint32_t{0}) + little_endian(std::uint32_t{1});
}

std::string table_of_block(const std::string& block, char compression) {
  std::string file;
  const auto handle = append_block(file, block, compression);
  const auto index = append_block(file, block_of({{"zz", handle}}), 0);
  return with_footer(std::move(file), index);
}

std::string write_table(const std::vector<std::pair<std::string, std::string>>& entries, const TableForm& form) {
  std::string file;
  std::vector<std::pair<std::string, std::string>> index;
  for (std::size_t at = 0; at < entries.size(); at += form.entries_per_block) {
    const auto end = std::min(entries.size(), at + form.entries_per_block);
    auto block = block_of(
        {entries.begin() + static_cast<std::ptrdiff_t>(at), entries.begin() + static_cast<std::ptrdiff_t>(end)});
    if (form.compressed) {
      std::string smaller;
      snappy::Compress(block.data(), block.size(), &smaller);
      block = smaller;
    }
    const auto handle = append_block(file, block, form.compressed ? '\1' : '\0');
    index.emplace_back(entries[end - 1].first, handle);
  }
  const auto handle = append_block(file, block_of(index), 0);
  return with_footer(std::move(file), handle);
}

}  // namespace protean
