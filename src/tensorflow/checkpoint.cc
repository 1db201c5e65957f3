// SPDX-License-Identifier: Apache-2.0
// Entries are protobufs in a table file; shards are plain bytes that are read at the places the entries name.
#include "tensorflow/checkpoint.h"

#include <algorithm>
#include <cstdio>

#include "base/checked_math.h"
#include "base/crc32c.h"
#include "base/text.h"
#include "tensorflow/table_file.h"
#include "tensorflow/tensor_slice.h"
#include "tensorflow/wire_bytes.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr int kShardsMax = 100'000;
constexpr std::uint64_t kIndexBytesMax = std::uint64_t{256} << 20U;
constexpr const char* kIndex = "variables/variables.index";

tl::unexpected<Error> broken(const std::string& key, const std::string& how) {
  return fail(Code::kInvalidArgument, "checkpoint entry '" + printable(key) + "': " + how);
}

std::vector<SliceExtent> extents_of(const tf::TensorSliceProto& slice) {
  std::vector<SliceExtent> extents;
  for (const auto& extent : slice.extent()) {
    extents.push_back({extent.start(), extent.has_length_case() == tf::TensorSliceProto::Extent::kLength
                                           ? extent.length()
                                           : std::int64_t{-1}});
  }
  return extents;
}

/// Lengths as varints, the checksum of the lengths as 32-bit numbers, the strings one after the other.
/// `crc`: receives the checksum of the whole as the writer computed it, not masked.
/// Source: tensorflow/core/util/tensor_bundle, WriteStringTensor.
Result<std::vector<std::string>> split_strings(const std::string& key, std::string_view bytes, std::size_t count,
                                               std::uint32_t& crc) {
  if (count > bytes.size()) return broken(key, "more strings than bytes");
  std::vector<std::uint64_t> lengths(count);
  crc = 0;
  for (auto& length : lengths) {
    const auto found = take_varint(bytes);
    if (!found) return broken(key, "lengths of strings that do not end");
    length = *found;
    const std::size_t width = length > 0xffffffffU ? 8 : 4;
    crc = extend_crc32c(crc, {reinterpret_cast<const char*>(&length), width});
  }
  if (bytes.size() < 4) return broken(key, "no checksum behind the lengths");
  if (load_little_endian<std::uint32_t>(bytes) != mask_crc32c(crc)) {
    return broken(key, "lengths of strings whose checksum does not hold");
  }
  crc = extend_crc32c(crc, bytes.substr(0, 4));
  bytes.remove_prefix(4);
  std::vector<std::string> strings;
  for (const auto length : lengths) {
    if (length > bytes.size()) return broken(key, "strings that are longer than the entry");
    strings.emplace_back(bytes.substr(0, static_cast<std::size_t>(length)));
    bytes.remove_prefix(static_cast<std::size_t>(length));
    crc = extend_crc32c(crc, strings.back());
  }
  if (!bytes.empty()) return broken(key, "bytes behind the last string");
  return strings;
}

}  // namespace

Result<Checkpoint> Checkpoint::from_index(std::string_view index) {
  TRY(auto table, read_table_file(index, kIndex));
  Checkpoint checkpoint;
  for (auto& [key, value] : table) {
    if (key.empty()) {
      tf::BundleHeaderProto header;
      if (!header.ParseFromString(value)) return broken("", "a header that is no BundleHeaderProto");
      if (header.endianness() != tf::BundleHeaderProto::LITTLE) return broken("", "big-endian values");
      checkpoint.shards_ = header.num_shards();
      continue;
    }
    if (!checkpoint.entries_[key].ParseFromString(value)) return broken(key, "no BundleEntryProto");
  }
  if (checkpoint.shards_ < 1 || checkpoint.shards_ > kShardsMax) {
    return broken("", std::to_string(checkpoint.shards_) + " shards, expected 1 to " + std::to_string(kShardsMax));
  }
  return checkpoint;
}

Result<Checkpoint> Checkpoint::open(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / kIndex, error)) return Checkpoint();
  TRY(auto files, ModelFolder::open(folder));
  TRY(const auto file, files.open_file(kIndex, "file"));
  if (file.size() > kIndexBytesMax) {
    return fail(Code::kInvalidArgument,
                std::string(kIndex) + " has " + std::to_string(file.size()) + " bytes, expected at most 256 MiB");
  }
  TRY(const auto bytes, file.read_all());
  TRY(auto checkpoint, from_index(bytes.text()));
  checkpoint.folder_ = std::make_unique<ModelFolder>(std::move(files));
  return checkpoint;
}

Result<ModelFile*> Checkpoint::shard(int number) {
  if (const auto open = open_shards_.find(number); open != open_shards_.end()) return &open->second;
  if (folder_ == nullptr) return fail(Code::kInvalidArgument, "the checkpoint has no shards");
  char name[64];
  std::snprintf(name, sizeof name, "variables/variables.data-%05d-of-%05d", number, shards_);
  TRY(auto file, folder_->open_file(name, "file"));
  return &open_shards_.emplace(number, std::move(file)).first->second;
}

Status Checkpoint::read_bytes(const std::string& key, const tf::BundleEntryProto& entry, std::string& bytes) {
  if (entry.shard_id() < 0 || entry.shard_id() >= shards_) {
    return broken(key, "shard " + std::to_string(entry.shard_id()) + " of " + std::to_string(shards_));
  }
  TRY(auto* file, shard(entry.shard_id()));
  const auto end = checked_add(entry.offset(), entry.size());
  if (entry.offset() < 0 || entry.size() < 0 || !end || static_cast<std::uint64_t>(*end) > file->size()) {
    return broken(key, "bytes past the end of '" + file->name() + "', which has " + std::to_string(file->size()));
  }
  if (static_cast<std::size_t>(entry.size()) > kLiteralBytesMax) return broken(key, "more than 2 GiB");
  bytes.resize(static_cast<std::size_t>(entry.size()));
  return file->read(static_cast<std::uint64_t>(entry.offset()),
                    std::as_writable_bytes(std::span<char>(bytes.data(), bytes.size())));
}

Result<Literal> Checkpoint::read_entry(const std::string& key, const tf::BundleEntryProto& entry) {
  Literal literal;
  literal.dtype = entry.dtype();
  literal.shape = protean::shape_of(entry.shape());
  const auto each = element_bytes(literal.dtype);
  if (each == 0 && literal.dtype != tf::DT_STRING) {
    return fail(Code::kUnimplemented, "checkpoint entry '" + printable(key) + "' of " + dtype_name(literal.dtype));
  }
  auto expected = literal_bytes(literal.shape, each);
  if (!expected) return broken(key, expected.error().message);
  if (each != 0 && static_cast<std::size_t>(entry.size()) != *expected) {
    return broken(key, std::to_string(entry.size()) + " bytes, expected " + std::to_string(*expected) + " for shape " +
                           format_shape(literal.shape));
  }
  TRY_STATUS(read_bytes(key, entry, literal.bytes));
  std::uint32_t crc = 0;
  if (each != 0) {
    crc = extend_crc32c(0, literal.bytes);
  } else {
    TRY(literal.strings, split_strings(key, literal.bytes, *expected, crc));
    literal.bytes.clear();
  }
  if (mask_crc32c(crc) != entry.crc32c()) return broken(key, "a checksum that does not hold; copy the model again");
  return literal;
}

Result<Literal> Checkpoint::read_slices(const std::string& key, const tf::BundleEntryProto& entry) {
  Literal whole{entry.dtype(), protean::shape_of(entry.shape()), {}, {}};
  const auto each = element_bytes(whole.dtype);
  if (each == 0) return broken(key, "slices of " + dtype_name(whole.dtype));
  auto size = literal_bytes(whole.shape, each);
  if (!size) return broken(key, size.error().message);
  // Held against what the index promises before memory is taken.
  std::uint64_t promised = 0;
  for (const auto& slice : entry.slices()) {
    const auto found = entries_.find(slice_key(key, extents_of(slice)));
    promised +=
        found == entries_.end() ? 0 : static_cast<std::uint64_t>(std::max<std::int64_t>(found->second.size(), 0));
  }
  if (promised != *size) return broken(key, "a slice that is not in the checkpoint or of another size");
  whole.bytes.assign(*size, '\0');
  std::size_t filled = 0;
  for (const auto& slice : entry.slices()) {
    const auto extents = extents_of(slice);
    const auto part_key = slice_key(key, extents);
    const auto shape = slice_shape(whole.shape, extents);
    const auto found = entries_.find(part_key);
    if (!shape || found == entries_.end() || found->second.slices_size() != 0) {
      return broken(key, "a slice that is not in the checkpoint");
    }
    TRY(const auto part, read_entry(part_key, found->second));
    if (part.dtype != whole.dtype || part.shape != *shape) return broken(key, "a slice of another type or shape");
    put_slice(whole, extents, part);
    filled += part.bytes.size();
  }
  if (filled != *size) return broken(key, "slices that do not fill the tensor exactly");
  return whole;
}

Result<Literal> Checkpoint::read(const std::string& key, const std::string& slice) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return broken(key, "not in the checkpoint");
  const auto& entry = found->second;
  TRY(auto whole, entry.slices_size() == 0 ? read_entry(key, entry) : read_slices(key, entry));
  if (slice.empty()) return whole;
  TRY(const auto extents, parse_slice(slice));
  if (!slice_shape(whole.shape, extents)) return broken(key, "does not contain the slice '" + printable(slice) + "'");
  return take_slice(whole, extents);
}

}  // namespace protean
