// SPDX-License-Identifier: Apache-2.0
// The central directory and the members it points at; each number is checked against the file before it is used.
#include "backends/scikit_learn/zip_archive.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "backends/scikit_learn/decompress.h"
#include "base/text.h"

namespace protean::sklearn {
namespace {

constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEntryBytes = 46;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kMembersMax = std::size_t{1} << 20;

tl::unexpected<Error> broken(const std::string& what) { return fail(Code::kInvalidArgument, "zip archive: " + what); }

/// Requires at + sizeof(T) <= bytes.size().
template <typename T>
T load(std::string_view bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

bool has_bytes(std::string_view bytes, std::uint64_t at, std::uint64_t count) {
  return at <= bytes.size() && count <= bytes.size() - at;
}

/// Where the end-of-directory record is: at the end, before a comment of at most 64 KiB.
std::optional<std::size_t> find_end(std::string_view bytes) {
  if (bytes.size() < kEndBytes) return std::nullopt;
  const auto last = bytes.size() - kEndBytes;
  for (std::size_t at = last;; --at) {
    if (load<std::uint32_t>(bytes, at) == 0x06054b50 && load<std::uint16_t>(bytes, at + 20) == last - at) return at;
    if (at == 0 || last - at >= 0xffff) return std::nullopt;
  }
}

/// The 64-bit numbers of an entry whose 32-bit ones are full, in the order size, packed size, offset.
void read_zip64(std::string_view extra, std::span<std::uint64_t* const> full) {
  for (std::size_t at = 0; has_bytes(extra, at, 4);) {
    const auto size = load<std::uint16_t>(extra, at + 2);
    if (!has_bytes(extra, at + 4, size)) return;
    if (load<std::uint16_t>(extra, at) == 1) {
      std::size_t place = at + 4;
      for (auto* number : full) {
        if (*number != UINT32_MAX) continue;
        if (place + 8 > at + 4 + size) return;
        *number = load<std::uint64_t>(extra, place);
        place += 8;
      }
      return;
    }
    at += 4U + size;
  }
}

}  // namespace

Result<ZipArchive> ZipArchive::open(std::string_view bytes) {
  const auto end = find_end(bytes);
  if (!end) return broken("no end of its directory found; is the file cut off?");
  std::uint64_t count = load<std::uint16_t>(bytes, *end + 10);
  std::uint64_t start = load<std::uint32_t>(bytes, *end + 16);
  if (*end >= 20 && load<std::uint32_t>(bytes, *end - 20) == 0x07064b50) {
    const auto record = load<std::uint64_t>(bytes, *end - 12);
    if (!has_bytes(bytes, record, 56) || load<std::uint32_t>(bytes, record) != 0x06064b50) {
      return broken("its 64-bit directory is beyond the file");
    }
    count = load<std::uint64_t>(bytes, record + 32);
    start = load<std::uint64_t>(bytes, record + 48);
  }
  if (count > kMembersMax || start > bytes.size()) return broken("its directory is beyond the file, or too long");
  ZipArchive archive;
  archive.bytes_ = bytes;
  archive.unpacked_bytes_left_ = decompressed_bytes_max(bytes.size());
  std::size_t at = start;
  for (std::uint64_t i = 0; i < count; ++i) TRY_STATUS(archive.add_member(at));
  return archive;
}

Status ZipArchive::add_member(std::size_t& at) {
  if (!has_bytes(bytes_, at, kEntryBytes) || load<std::uint32_t>(bytes_, at) != 0x02014b50) {
    return broken("its directory is cut off");
  }
  Member member;
  member.flags = load<std::uint16_t>(bytes_, at + 8);
  member.method = load<std::uint16_t>(bytes_, at + 10);
  member.packed_bytes = load<std::uint32_t>(bytes_, at + 20);
  member.bytes = load<std::uint32_t>(bytes_, at + 24);
  member.offset = load<std::uint32_t>(bytes_, at + 42);
  const std::size_t name_bytes = load<std::uint16_t>(bytes_, at + 28);
  const std::size_t extra_bytes = load<std::uint16_t>(bytes_, at + 30);
  const std::size_t comment_bytes = load<std::uint16_t>(bytes_, at + 32);
  at += kEntryBytes;
  if (!has_bytes(bytes_, at, name_bytes + extra_bytes + comment_bytes)) return broken("its directory is cut off");
  std::uint64_t* const numbers[] = {&member.bytes, &member.packed_bytes, &member.offset};
  read_zip64(bytes_.substr(at + name_bytes, extra_bytes), numbers);
  const auto name = bytes_.substr(at, name_bytes);
  at += name_bytes + extra_bytes + comment_bytes;
  if (!members_.emplace(name, member).second) return broken("member '" + printable(name, 64) + "' is there twice");
  return {};
}

Result<std::string_view> ZipArchive::read(std::string_view name) {
  const auto found = members_.find(name);
  if (found == members_.end()) return broken("member '" + printable(name, 64) + "' is missing");
  auto& member = found->second;
  if (!member.ready) {
    TRY(member.content, unpack(member));
    member.ready = true;
  }
  return member.content;
}

Result<std::string_view> ZipArchive::unpack(const Member& member) {
  if ((member.flags & 1) != 0) return broken("an encrypted member");
  if (!has_bytes(bytes_, member.offset, kLocalBytes) || load<std::uint32_t>(bytes_, member.offset) != 0x04034b50) {
    return broken("a member begins beyond the file");
  }
  const std::uint64_t start = member.offset + kLocalBytes + load<std::uint16_t>(bytes_, member.offset + 26) +
                              load<std::uint16_t>(bytes_, member.offset + 28);
  if (!has_bytes(bytes_, start, member.packed_bytes)) return broken("a member ends beyond the file");
  const auto packed = bytes_.substr(start, member.packed_bytes);
  if (member.method == 0) {
    if (member.bytes != member.packed_bytes) return broken("a stored member of two sizes");
    return packed;
  }
  if (member.method != 8) return broken("a member of compression method " + std::to_string(member.method));
  if (member.bytes > unpacked_bytes_left_) return broken("its members unpack to more than a model of this size does");
  unpacked_bytes_left_ -= member.bytes;
  TRY(auto content, inflate_raw(packed, member.bytes));
  return unpacked_.emplace_back(std::move(content)).text();
}

}  // namespace protean::sklearn
