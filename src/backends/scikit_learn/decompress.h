// SPDX-License-Identifier: Apache-2.0
// Undoes the compressions that joblib and zip archives use, each bounded: what a few bytes may become is limited.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/buffer.h"
#include "base/result.h"

namespace protean::sklearn {

/// kNone: the bytes do not begin as any of the others do.
enum class Compression : unsigned char { kNone, kZlib, kGzip, kBzip2, kXz, kLzma, kLz4, kZstandard };

[[nodiscard]] Compression detect_compression(std::string_view bytes) noexcept;
[[nodiscard]] std::string_view compression_name(Compression compression) noexcept;

/// 64 MiB and 20 times what the file has: models shrink to a third or so, bombs a thousandfold.
[[nodiscard]] std::size_t decompressed_bytes_max(std::size_t compressed_bytes) noexcept;

/// All of it.
/// Errors: kInvalidArgument: broken or cut off, beyond decompressed_bytes_max(), or LZ4 and Zstandard, by name.
[[nodiscard]] Result<Buffer> decompress(std::string_view bytes, Compression compression);

/// The beginning of what `bytes` (perhaps cut off) decompress to, at most `size_max` bytes; empty when broken.
[[nodiscard]] Buffer decompress_head(std::string_view bytes, Compression compression, std::size_t size_max);

/// Raw DEFLATE (RFC 1951) to exactly `size` bytes, as in zip members.  Errors: kInvalidArgument.
[[nodiscard]] Result<Buffer> inflate_raw(std::string_view bytes, std::size_t size);

}  // namespace protean::sklearn
