// SPDX-License-Identifier: Apache-2.0
// DEFLATE by libdeflate, the others by their own libraries, all into buffers that grow up to the limit.
#include "backends/scikit_learn/decompress.h"

#include <bzlib.h>
#include <libdeflate.h>
#include <lzma.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <memory>
#include <string>

namespace protean::sklearn {
namespace {

constexpr std::size_t kFirstBytes = std::size_t{1} << 18;

tl::unexpected<Error> broken(Compression compression, const std::string& what) {
  return fail(Code::kInvalidArgument, std::string(compression_name(compression)) + " data: " + what);
}

tl::unexpected<Error> too_large(Compression compression, std::size_t limit) {
  return broken(compression, "they become more than " + std::to_string(limit) +
                                 " bytes, which no model of this file's size does; save it with less compression");
}

/// libdeflate wants all of the output's room at once: try with more until it fits.
Result<Buffer> inflate_whole(std::string_view bytes, Compression compression, std::size_t limit) {
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflater(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (inflater == nullptr) return fail(Code::kResourceExhausted, "no memory left to decompress it");
  Buffer out;
  for (std::size_t room = std::min(limit, std::max(kFirstBytes, bytes.size() * 4));; room = std::min(limit, room * 4)) {
    out.resize(room);
    std::size_t written = 0;
    const auto result = compression == Compression::kZlib
                            ? libdeflate_zlib_decompress_ex(inflater.get(), bytes.data(), bytes.size(), out.data(),
                                                            room, nullptr, &written)
                            : libdeflate_gzip_decompress_ex(inflater.get(), bytes.data(), bytes.size(), out.data(),
                                                            room, nullptr, &written);
    if (result == LIBDEFLATE_SUCCESS) {
      out.resize(written);
      return out;
    }
    if (result != LIBDEFLATE_INSUFFICIENT_SPACE) return broken(compression, "broken or cut off");
    if (room == limit) return too_large(compression, limit);
  }
}

/// One stream of bzip2 or xz, fed with everything and emptied as it fills.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Writes up to out.size() bytes. `done`: the stream has ended.  Returns how many; nullopt when it is broken.
  virtual std::ptrdiff_t read(std::span<std::byte> out, bool& done) = 0;
};

class Bzip2Stream final : public Stream {
 public:
  explicit Bzip2Stream(std::string_view bytes) : rest_(bytes) { ready_ = BZ2_bzDecompressInit(&state_, 0, 0) == BZ_OK; }
  ~Bzip2Stream() override {
    if (ready_) BZ2_bzDecompressEnd(&state_);
  }
  std::ptrdiff_t read(std::span<std::byte> out, bool& done) override {
    if (!ready_) return -1;
    if (state_.avail_in == 0) feed();
    const auto room = std::min<std::size_t>(out.size(), INT_MAX);
    state_.next_out = reinterpret_cast<char*>(out.data());
    state_.avail_out = static_cast<unsigned>(room);
    const int result = BZ2_bzDecompress(&state_);
    done = result == BZ_STREAM_END;
    if (result != BZ_OK && !done) return -1;
    const auto written = static_cast<std::ptrdiff_t>(room - state_.avail_out);
    return written == 0 && state_.avail_in == 0 && rest_.empty() && !done ? -1 : written;
  }

 private:
  void feed() {
    const auto count = std::min<std::size_t>(rest_.size(), INT_MAX);
    state_.next_in = const_cast<char*>(rest_.data());  // the C interface reads only
    state_.avail_in = static_cast<unsigned>(count);
    rest_.remove_prefix(count);
  }
  bz_stream state_{};
  std::string_view rest_;
  bool ready_ = false;
};

class LzmaStream final : public Stream {
 public:
  LzmaStream(std::string_view bytes, bool alone) {
    constexpr std::uint64_t kMemoryMax = std::uint64_t{256} << 20;
    ready_ = (alone ? lzma_alone_decoder(&state_, kMemoryMax) : lzma_stream_decoder(&state_, kMemoryMax, 0)) == LZMA_OK;
    state_.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    state_.avail_in = bytes.size();
  }
  ~LzmaStream() override { lzma_end(&state_); }
  std::ptrdiff_t read(std::span<std::byte> out, bool& done) override {
    if (!ready_) return -1;
    state_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_.avail_out = out.size();
    const auto result = lzma_code(&state_, LZMA_RUN);
    done = result == LZMA_STREAM_END;
    if (result != LZMA_OK && !done) return -1;
    const auto written = static_cast<std::ptrdiff_t>(out.size() - state_.avail_out);
    return written == 0 && !done ? -1 : written;
  }

 private:
  lzma_stream state_ = LZMA_STREAM_INIT;
  bool ready_ = false;
};

std::unique_ptr<Stream> open_stream(std::string_view bytes, Compression compression) {
  if (compression == Compression::kBzip2) return std::make_unique<Bzip2Stream>(bytes);
  return std::make_unique<LzmaStream>(bytes, compression == Compression::kLzma);
}

Result<Buffer> read_stream(std::string_view bytes, Compression compression, std::size_t limit) {
  const auto stream = open_stream(bytes, compression);
  Buffer out;
  std::size_t size = 0;
  for (bool done = false; !done;) {
    if (size == out.size()) {
      if (size >= limit) return too_large(compression, limit);
      out.resize(std::min(limit, std::max(kFirstBytes, size * 2)));
    }
    const auto written = stream->read(out.span().subspan(size), done);
    if (written < 0) return broken(compression, "broken or cut off");
    size += static_cast<std::size_t>(written);
  }
  out.resize(size);
  return out;
}

}  // namespace

Compression detect_compression(std::string_view bytes) noexcept {
  const auto starts = [&](std::string_view magic) { return bytes.starts_with(magic); };
  if (starts("\x1f\x8b")) return Compression::kGzip;
  if (starts("BZh")) return Compression::kBzip2;
  if (starts(std::string_view("\xfd\x37zXZ\0", 6))) return Compression::kXz;
  if (starts(std::string_view("\x5d\0\0", 3))) return Compression::kLzma;
  if (starts("\x04\x22\x4d\x18")) return Compression::kLz4;
  if (starts("\x28\xb5\x2f\xfd")) return Compression::kZstandard;
  if (bytes.size() >= 2 && bytes[0] == '\x78') {
    const auto second = static_cast<unsigned char>(bytes[1]);
    if ((0x78 * 256 + second) % 31 == 0) return Compression::kZlib;
  }
  return Compression::kNone;
}

std::string_view compression_name(Compression compression) noexcept {
  switch (compression) {
    case Compression::kNone: return "uncompressed";
    case Compression::kZlib: return "zlib";
    case Compression::kGzip: return "gzip";
    case Compression::kBzip2: return "bzip2";
    case Compression::kXz: return "xz";
    case Compression::kLzma: return "lzma";
    case Compression::kLz4: return "LZ4";
    case Compression::kZstandard: return "Zstandard";
  }
  return "unknown";
}

std::size_t decompressed_bytes_max(std::size_t compressed_bytes) noexcept {
  return (std::size_t{64} << 20) + 20 * std::min(compressed_bytes, SIZE_MAX / 64);
}

Result<Buffer> decompress(std::string_view bytes, Compression compression) {
  const auto limit = decompressed_bytes_max(bytes.size());
  switch (compression) {
    case Compression::kZlib:
    case Compression::kGzip: return inflate_whole(bytes, compression, limit);
    case Compression::kBzip2:
    case Compression::kXz:
    case Compression::kLzma: return read_stream(bytes, compression, limit);
    default: return broken(compression, "this compression is not read here; save the model with compress=('zlib', 3)");
  }
}

Buffer decompress_head(std::string_view bytes, Compression compression, std::size_t size_max) {
  Buffer out;
  if (compression == Compression::kBzip2 || compression == Compression::kXz || compression == Compression::kLzma) {
    const auto stream = open_stream(bytes, compression);
    out.resize(size_max);
    std::size_t size = 0;
    for (bool done = false; !done && size < size_max;) {
      const auto written = stream->read(out.span().subspan(size), done);
      if (written < 0) break;
      size += static_cast<std::size_t>(written);
    }
    out.resize(size);
    return out;
  }
  auto whole = decompress(bytes, compression);
  if (!whole) return out;
  out.append(whole->data(), std::min(size_max, whole->size()));
  return out;
}

Result<Buffer> inflate_raw(std::string_view bytes, std::size_t size) {
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflater(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (inflater == nullptr) return fail(Code::kResourceExhausted, "no memory left to decompress it");
  Buffer out(size);
  const auto result =
      libdeflate_deflate_decompress(inflater.get(), bytes.data(), bytes.size(), out.data(), size, nullptr);
  if (result != LIBDEFLATE_SUCCESS) return fail(Code::kInvalidArgument, "a zip member: broken or cut off");
  return out;
}

}  // namespace protean::sklearn
