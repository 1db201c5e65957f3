// SPDX-License-Identifier: Apache-2.0
// What both ends of a file say.
#include "backends/scikit_learn/recognise.h"

#include "backends/scikit_learn/decompress.h"
#include "backends/scikit_learn/file_bytes.h"
#include "backends/scikit_learn/object_file.h"
#include "backends/scikit_learn/zip_archive.h"

namespace protean::sklearn {
namespace {

constexpr std::size_t kHeadBytes = std::size_t{256} << 10;
constexpr std::size_t kTailBytes = std::size_t{64} << 10;
/// Of a compressed file, more is read than of a plain one: it has to be decompressed from its start.
constexpr std::uint64_t kWholeBytesMax = std::uint64_t{256} << 20;

}  // namespace

Result<bool> looks_like_scikit_learn(const std::filesystem::path& path) {
  TRY(const auto ends, read_file_ends(path, kHeadBytes, kTailBytes));
  if (!ends.regular || ends.size < 8) return false;
  const std::string_view head = ends.head;
  if (head.starts_with("PK\x03\x04")) {
    if (ends.tail.find("schema.json") == std::string::npos || ends.size > kWholeBytesMax) return false;
    TRY(const auto bytes, read_file(path, kWholeBytesMax));
    auto archive = ZipArchive::open(bytes.text());
    if (!archive || !archive->has("schema.json")) return false;
    const auto schema = archive->read("schema.json");
    return schema && schema->find("\"__loader__\"") != std::string_view::npos && mentions_scikit_learn(*schema);
  }
  const auto compression = detect_compression(head);
  if (compression == Compression::kNone) return looks_like_pickle(head) && mentions_scikit_learn(head);
  if (compression == Compression::kLz4 || compression == Compression::kZstandard || ends.size > kWholeBytesMax) {
    return false;
  }
  Buffer start;
  if (compression == Compression::kZlib || compression == Compression::kGzip) {
    TRY(const auto bytes, read_file(path, kWholeBytesMax));
    start = decompress_head(bytes.text(), compression, kHeadBytes);
  } else {
    start = decompress_head(head, compression, kHeadBytes);
  }
  return looks_like_pickle(start.text()) && mentions_scikit_learn(start.text());
}

}  // namespace protean::sklearn
