// SPDX-License-Identifier: Apache-2.0
// Sorted tables with Snappy blocks, and what a checkpoint's index makes of their entries. Half of the inputs get good
// checksums first, which chance would never find.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "tensorflow/checkpoint.h"
#include "tensorflow/table_file.h"
#include "tensorflow/tensor_slice.h"
#include "tensorflow/wire_bytes.h"

namespace {

/// Puts the right checksum behind the block at the varint handle, if it lies within the file.
void repair_block(std::string& file, std::uint64_t offset, std::uint64_t size) {
  if (offset > file.size() || size > file.size() - offset || file.size() - offset - size < 5) return;
  const auto checked = std::string_view(file).substr(offset, size + 1);
  const auto checksum = protean::mask_crc32c(protean::extend_crc32c(0, checked));
  std::memcpy(file.data() + offset + size + 1, &checksum, sizeof checksum);
}

/// The index block and the block at the start: enough for small tables.
void repair(std::string& file) {
  if (file.size() < 48) return;
  auto footer = std::string_view(file).substr(file.size() - 48);
  for (int i = 0; i < 2; ++i) {
    const auto offset = protean::take_varint(footer);
    const auto size = protean::take_varint(footer);
    if (!offset || !size) return;
    repair_block(file, *offset, *size);
  }
  for (std::size_t size = 0; size < 64 && size + 53 < file.size(); ++size) {
    if (file[size] == 0 || file[size] == 1) repair_block(file, 0, size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  constexpr protean::TableFileLimits kLimits{1U << 20U, 1U << 22U};
  static_cast<void>(protean::read_table_file(file, "fuzz", kLimits));
  static_cast<void>(protean::parse_slice(file));
  repair(file);
  static_cast<void>(protean::read_table_file(file, "fuzz", kLimits));
  auto checkpoint = protean::Checkpoint::from_index(file);
  if (checkpoint) static_cast<void>(checkpoint->read("w"));
  return 0;
}
