// SPDX-License-Identifier: Apache-2.0
// A zip archive in memory, as Python's zipfile writes them: stored or deflated members, no encryption, one disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/result.h"

namespace protean::sklearn {

/// Reads members by name; names are keys and never paths.  Views `bytes`.  One thread at a time.
class ZipArchive {
 public:
  /// Reads the central directory.  Errors: kInvalidArgument: no zip archive, entries beyond the file, more than 2^20.
  /// Source: PKWARE APPNOTE.TXT 6.3, sections 4.3 and 4.5.3 (zip64).
  static Result<ZipArchive> open(std::string_view bytes);

  [[nodiscard]] bool has(std::string_view name) const { return members_.find(name) != members_.end(); }
  /// The member's bytes, which live as long as the archive; asked for again, they are the same.
  /// Errors: kInvalidArgument: missing, broken, encrypted, beyond the limit of decompress.h for all members together.
  [[nodiscard]] Result<std::string_view> read(std::string_view name);

 private:
  struct Member {
    std::uint64_t offset = 0;
    std::uint64_t packed_bytes = 0;
    std::uint64_t bytes = 0;
    std::uint16_t method = 0;
    std::uint16_t flags = 0;
    bool ready = false;
    std::string_view content = {};
  };
  Status add_member(std::size_t& at);
  Result<std::string_view> unpack(const Member& member);

  std::string_view bytes_;
  std::size_t unpacked_bytes_left_ = 0;
  std::map<std::string, Member, std::less<>> members_;
  std::deque<Buffer> unpacked_;
};

}  // namespace protean::sklearn
