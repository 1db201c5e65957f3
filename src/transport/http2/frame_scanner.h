// SPDX-License-Identifier: Apache-2.0
// Finds the frame heads in what is received, before nghttp2 sees them: it passes over some frames without
// telling anybody (DATA for closed streams, PRIORITY, unknown types), and those are worth a look as well.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace protean::http2 {

/// RFC 9113 4.1.
struct FrameHead {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::int32_t stream_id = 0;
};

/// Not thread-safe.
class FrameScanner {
 public:
  static constexpr std::size_t kHeadBytes = 9;

  /// The next frame head that is complete within `bytes`, from offset `at` on; `at` then stands behind it.
  /// nullopt, and `at` at the end, when there is none.
  [[nodiscard]] std::optional<FrameHead> next(std::span<const std::byte> bytes, std::size_t& at) noexcept {
    const std::size_t skipped = std::min(skip_, bytes.size() - at);
    skip_ -= skipped;
    at += skipped;
    if (skip_ > 0) return std::nullopt;
    const std::size_t count = std::min(kHeadBytes - head_size_, bytes.size() - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count,
                head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
    head_size_ += count;
    at += count;
    if (head_size_ < kHeadBytes) return std::nullopt;
    const FrameHead head{
        octet(0) << 16 | octet(1) << 8 | octet(2), static_cast<std::uint8_t>(octet(3)),
        static_cast<std::uint8_t>(octet(4)),
        static_cast<std::int32_t>((octet(5) & 0x7FU) << 24 | octet(6) << 16 | octet(7) << 8 | octet(8))};
    head_size_ = 0;
    skip_ = head.length;
    return head;
  }

 private:
  static constexpr std::size_t kPrefaceBytes = 24;
  [[nodiscard]] std::uint32_t octet(std::size_t i) const noexcept { return std::to_integer<std::uint32_t>(head_[i]); }

  std::size_t skip_ = kPrefaceBytes;
  std::array<std::byte, kHeadBytes> head_{};
  std::size_t head_size_ = 0;
};

}  // namespace protean::http2
