// SPDX-License-Identifier: Apache-2.0
// Footer, index block, data blocks. Every offset is held against the bytes that are there before it is followed.
#include "tensorflow/table_file.h"

#include <snappy.h>

#include <cstdint>
#include <optional>

#include "base/checked_math.h"
#include "base/crc32c.h"
#include "base/text.h"
#include "tensorflow/wire_bytes.h"

namespace protean {
namespace {

constexpr std::size_t kFooterBytes = 48;
constexpr std::size_t kTrailerBytes = 5;  // compression, checksum
constexpr std::uint64_t kMagic = 0xdb4775248b80fb57ULL;
constexpr char kUncompressed = 0;
constexpr char kSnappy = 1;

struct BlockHandle {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

std::optional<BlockHandle> read_handle(std::string_view& bytes) {
  const auto offset = take_varint(bytes);
  const auto size = offset ? take_varint(bytes) : std::nullopt;
  if (!size) return std::nullopt;
  return BlockHandle{*offset, *size};
}

class TableReader {
 public:
  TableReader(std::string_view file, std::string_view where, const TableFileLimits& limits)
      : file_(file), where_(where), limits_(limits) {}

  Result<std::vector<std::pair<std::string, std::string>>> read() {
    if (file_.size() < kFooterBytes) return broken("is shorter than a footer of 48 bytes");
    auto footer = file_.substr(file_.size() - kFooterBytes);
    if (load_little_endian<std::uint64_t>(footer.substr(kFooterBytes - 8)) != kMagic) {
      return broken("does not end with the number of a table file");
    }
    const auto meta_index = read_handle(footer);
    const auto index = meta_index ? read_handle(footer) : std::nullopt;
    if (!index) return broken("has a footer without handles");
    std::string storage;
    TRY(const auto index_block, block(*index, storage));
    Entries blocks;
    TRY_STATUS(entries_of(index_block, blocks));
    Entries found;
    for (auto& [last_key, place] : blocks) {
      std::string_view rest = place;
      const auto handle = read_handle(rest);
      if (!handle) return broken("has an index entry that is no handle");
      std::string contents;
      TRY(const auto data, block(*handle, contents));
      TRY_STATUS(entries_of(data, found));
    }
    return found;
  }

 private:
  using Entries = std::vector<std::pair<std::string, std::string>>;

  tl::unexpected<Error> broken(const std::string& how) const {
    return fail(Code::kInvalidArgument, "table file '" + printable(where_) + "' " + how + "; copy the model again");
  }

  /// The bytes of a block; `storage` holds them when they had to be uncompressed.
  Result<std::string_view> block(const BlockHandle& handle, std::string& storage) {
    const auto end = checked_add(handle.offset, handle.size);
    const auto all = end ? checked_add(*end, std::uint64_t{kTrailerBytes}) : std::nullopt;
    if (!all || *all > file_.size()) return broken("has a block past its end");
    const auto size = static_cast<std::size_t>(handle.size);
    const auto checked = file_.substr(static_cast<std::size_t>(handle.offset), size + 1);
    const auto stored = load_little_endian<std::uint32_t>(file_.substr(static_cast<std::size_t>(*end) + 1));
    if (mask_crc32c(extend_crc32c(0, checked)) != stored) {
      return broken("has a block at byte " + std::to_string(handle.offset) + " whose checksum does not hold");
    }
    if (checked.back() == kUncompressed) return checked.substr(0, size);
    if (checked.back() != kSnappy) {
      return broken("has a block of compression " + std::to_string(static_cast<unsigned char>(checked.back())) +
                    ", expected 0 (none) or 1 (Snappy)");
    }
    std::size_t length = 0;
    if (!snappy::GetUncompressedLength(checked.data(), size, &length)) return broken("has a broken Snappy block");
    if (length > limits_.block_bytes_max) return broken("has a block of " + std::to_string(length) + " bytes");
    storage.resize(length);
    if (!snappy::RawUncompress(checked.data(), size, storage.data())) return broken("has a broken Snappy block");
    return std::string_view(storage);
  }

  Status entries_of(std::string_view block, Entries& out) {
    if (block.size() < 4) return broken("has a block without restart points");
    const auto restarts = load_little_endian<std::uint32_t>(block.substr(block.size() - 4));
    const auto tail = std::uint64_t{restarts} * 4 + 4;
    if (tail > block.size()) return broken("has a block with more restart points than bytes");
    block.remove_suffix(static_cast<std::size_t>(tail));
    std::string key;
    bool first = true;
    while (!block.empty()) {
      const auto shared = take_varint(block);
      const auto added = shared ? take_varint(block) : std::nullopt;
      const auto value_size = added ? take_varint(block) : std::nullopt;
      if (!value_size || *shared > key.size() || *added > block.size() || *value_size > block.size() - *added) {
        return broken("has an entry that does not fit into its block");
      }
      std::string next = key.substr(0, static_cast<std::size_t>(*shared));
      next += block.substr(0, static_cast<std::size_t>(*added));
      if (!first && next <= key) return broken("has keys out of order");
      first = false;
      key = std::move(next);
      block.remove_prefix(static_cast<std::size_t>(*added));
      total_ += key.size() + static_cast<std::size_t>(*value_size) + sizeof(Entries::value_type);
      if (total_ > limits_.total_bytes_max)
        return broken("holds more than " + std::to_string(limits_.total_bytes_max) + " bytes of entries");
      out.emplace_back(key, std::string(block.substr(0, static_cast<std::size_t>(*value_size))));
      block.remove_prefix(static_cast<std::size_t>(*value_size));
    }
    return {};
  }

  std::string_view file_;
  std::string_view where_;
  TableFileLimits limits_;
  std::size_t total_ = 0;
};

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> read_table_file(std::string_view file, std::string_view where,
                                                                         const TableFileLimits& limits) {
  return TableReader(file, where, limits).read();
}

}  // namespace protean
