// SPDX-License-Identifier: Apache-2.0
// zlib and zstd, block by block. Before each block there is a check whether the caller still wants that much; the
// block after the last permitted byte is a single byte, written only to find out that the body is too large.
#include "transport/codecs.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include "base/check.h"

namespace protean {
namespace {

constexpr std::size_t kFirstBytes = 4096;
constexpr std::size_t kFirstFactor = 4;                        // of the coded size: what JSON usually grows by
constexpr std::size_t kStreamBytesMax = std::size_t{1} << 30;  // zlib counts in 32 bits
constexpr int kWindowLogMax = 23;                              // 8 MiB, what RFC 9659 asks of every decoder
constexpr int kFastLevel = 1;

/// The decoded bytes so far, never more than `size_max`.
class Output {
 public:
  Output(std::size_t coded, std::size_t size_max, Reservation* memory) : size_max_(size_max), memory_(memory) {
    const std::size_t likely = coded > size_max / kFirstFactor ? size_max : coded * kFirstFactor;
    next_capacity_ = std::min(size_max, std::max(kFirstBytes, likely));
  }

  /// Where the next bytes go, never empty.
  Result<std::span<std::byte>> room() {
    if (size_ == size_max_) return std::span(&surplus_, 1);
    if (size_ == buffer_.size()) {
      const std::size_t capacity = next_capacity_;
      if (memory_ != nullptr && !memory_->grow_to(charged_ + capacity)) return no_memory();
      try {
        buffer_.reserve(capacity);
        buffer_.resize(capacity);
      } catch (const std::bad_alloc&) {
        return no_memory();
      }
      next_capacity_ = capacity > size_max_ / 2 ? size_max_ : capacity * 2;
    }
    return buffer_.span().subspan(size_);
  }

  Status wrote(std::size_t count) {
    if (size_ == size_max_ && count > 0) {
      return fail(Code::kResourceExhausted,
                  "more than " + std::to_string(size_max_) + " bytes after decompression (body-bytes-max)");
    }
    size_ += count;
    return {};
  }

  Slice share() && {
    buffer_.resize(size_);
    return std::move(buffer_).share();
  }

  /// What the reservation already holds for the coded bytes stays on top.
  void charge_on_top(std::size_t bytes) noexcept { charged_ = bytes; }

 private:
  static tl::unexpected<Error> no_memory() {
    return fail(Code::kUnavailable, "no memory to decompress it: the bodies in flight reached their bound");
  }

  Buffer buffer_;
  std::size_t size_ = 0;
  std::size_t next_capacity_ = 0;
  std::size_t charged_ = 0;
  std::size_t size_max_;
  Reservation* memory_;
  std::byte surplus_{};
};

tl::unexpected<Error> corrupt(const char* coding, const char* reason) {
  return fail(Code::kInvalidArgument, std::string("broken ") + coding + " data: " + reason);
}

struct EndInflate {
  void operator()(z_stream* stream) const noexcept { inflateEnd(stream); }
};

/// RFC 1950 2.2: compression method 8 and a header that is a multiple of 31. Many clients send raw deflate.
bool has_zlib_header(std::span<const std::byte> coded) noexcept {
  if (coded.size() < 2) return false;
  const auto first = std::to_integer<unsigned>(coded[0]);
  const auto second = std::to_integer<unsigned>(coded[1]);
  return (first & 0x0F) == 8 && (first * 256 + second) % 31 == 0;
}

/// One call of inflate(). True when the stream has ended and nothing is left to read.
Result<bool> inflate_block(z_stream& stream, std::span<const std::byte> coded, bool gzip, Output& out) {
  const char* name = gzip ? "gzip" : "deflate";
  const auto at = static_cast<std::size_t>(reinterpret_cast<const std::byte*>(stream.next_in) - coded.data());
  stream.avail_in = static_cast<uInt>(std::min(coded.size() - at, kStreamBytesMax));
  TRY(const auto room, out.room());
  stream.next_out = reinterpret_cast<Bytef*>(room.data());
  stream.avail_out = static_cast<uInt>(std::min(room.size(), kStreamBytesMax));
  const uInt offered = stream.avail_out;
  const int outcome = inflate(&stream, Z_NO_FLUSH);
  TRY_STATUS(out.wrote(offered - stream.avail_out));
  const bool exhausted = reinterpret_cast<const std::byte*>(stream.next_in) == coded.data() + coded.size();
  if (outcome == Z_STREAM_END) {
    if (exhausted) return true;
    if (!gzip) return corrupt(name, "bytes after the end");
    if (inflateReset(&stream) != Z_OK) return corrupt(name, "next member");
    return false;
  }
  if (outcome == Z_BUF_ERROR && exhausted && stream.avail_out > 0) return corrupt(name, "truncated");
  if (outcome != Z_OK && outcome != Z_BUF_ERROR) return corrupt(name, stream.msg != nullptr ? stream.msg : "header");
  if (exhausted && stream.avail_out > 0) return corrupt(name, "truncated");
  return false;
}

}  // namespace

Result<Slice> zlib_decode(bool gzip, std::span<const std::byte> coded, std::size_t size_max, Reservation* memory) {
  if (coded.empty()) return corrupt(gzip ? "gzip" : "deflate", "truncated");
  z_stream stream{};
  const int window_bits = gzip ? MAX_WBITS + 16 : has_zlib_header(coded) ? MAX_WBITS : -MAX_WBITS;
  if (inflateInit2(&stream, window_bits) != Z_OK) return fail(Code::kUnavailable, "no memory to decompress it");
  const std::unique_ptr<z_stream, EndInflate> guard(&stream);
  // zlib never writes through next_in.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(coded.data()));
  Output out(coded.size(), size_max, memory);
  out.charge_on_top(coded.size());
  while (true) {
    TRY(const bool done, inflate_block(stream, coded, gzip, out));
    if (done) return std::move(out).share();
  }
}

Result<Slice> zstd_decode(std::span<const std::byte> coded, std::size_t size_max, Reservation* memory) {
  if (coded.empty()) return corrupt("zstd", "truncated");
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  if (context == nullptr) return fail(Code::kUnavailable, "no memory to decompress it");
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  Output out(coded.size(), size_max, memory);
  out.charge_on_top(coded.size());
  ZSTD_inBuffer in{coded.data(), coded.size(), 0};
  while (true) {
    TRY(const auto room, out.room());
    ZSTD_outBuffer block{room.data(), room.size(), 0};
    const std::size_t outcome = ZSTD_decompressStream(context.get(), &block, &in);
    if (ZSTD_isError(outcome) != 0) return corrupt("zstd", ZSTD_getErrorName(outcome));
    TRY_STATUS(out.wrote(block.pos));
    if (in.pos < in.size) continue;
    if (outcome == 0) return std::move(out).share();
    if (block.pos < block.size) return corrupt("zstd", "truncated");
  }
}

Slice zlib_encode(bool gzip, std::span<const Slice> parts) {
  std::size_t total = 0;
  for (const Slice& part : parts) total += part.size();
  z_stream stream{};
  constexpr int kMemoryLevel = 8;  // zlib's default
  const int started = deflateInit2(&stream, kFastLevel, Z_DEFLATED, gzip ? MAX_WBITS + 16 : MAX_WBITS, kMemoryLevel,
                                   Z_DEFAULT_STRATEGY);
  if (started != Z_OK) throw std::bad_alloc();
  Buffer out(deflateBound(&stream, total));
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  const auto deflate_all = [&](std::span<const std::byte> bytes, int flush) {
    while (true) {
      const std::size_t count = std::min(bytes.size(), kStreamBytesMax);
      stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
      stream.avail_in = static_cast<uInt>(count);
      const auto room = out.size() - static_cast<std::size_t>(stream.next_out - reinterpret_cast<Bytef*>(out.data()));
      stream.avail_out = static_cast<uInt>(std::min<std::size_t>(room, std::numeric_limits<uInt>::max()));
      const int outcome = deflate(&stream, flush);
      PROTEAN_CHECK(outcome == Z_OK || outcome == Z_STREAM_END || outcome == Z_BUF_ERROR);
      bytes = bytes.subspan(count - stream.avail_in);
      if (bytes.empty() && (flush == Z_NO_FLUSH || outcome == Z_STREAM_END)) return;
    }
  };
  for (const Slice& part : parts) deflate_all(part.bytes, Z_NO_FLUSH);
  deflate_all({}, Z_FINISH);
  out.resize(static_cast<std::size_t>(stream.next_out - reinterpret_cast<Bytef*>(out.data())));
  deflateEnd(&stream);
  return std::move(out).share();
}

Slice zstd_encode(std::span<const Slice> parts) {
  std::size_t total = 0;
  for (const Slice& part : parts) total += part.size();
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (context == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kFastLevel);
  ZSTD_CCtx_setPledgedSrcSize(context.get(), total);
  Buffer out(ZSTD_compressBound(total));
  ZSTD_outBuffer block{out.data(), out.size(), 0};
  const auto compress_all = [&](std::span<const std::byte> bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    while (true) {
      const std::size_t left = ZSTD_compressStream2(context.get(), &block, &in, directive);
      if (ZSTD_isError(left) != 0) throw std::bad_alloc();  // the only way it can fail here
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return;
    }
  };
  for (const Slice& part : parts) compress_all(part.bytes, ZSTD_e_continue);
  compress_all({}, ZSTD_e_end);
  out.resize(block.pos);
  return std::move(out).share();
}

}  // namespace protean
