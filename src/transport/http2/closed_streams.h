// SPDX-License-Identifier: Apache-2.0
// What may still arrive for streams that are no longer open. nghttp2 keeps whole stream objects for this, or
// ignores such frames; a few numbers do it as well (RFC 9113 5.1 "closed", 5.1.1).
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace protean::http2 {

/// Not thread-safe.
class ClosedStreams {
 public:
  void opened(std::int32_t id) noexcept { last_ = std::max(last_, id); }
  void closed(std::int32_t id) noexcept { closed_.add(id); }
  /// We sent RST_STREAM: what the peer had on the way by then is to be ignored.
  void reset_by_us(std::int32_t id) noexcept { reset_floor_ = std::max(reset_floor_, reset_.add(id)); }

  /// The connection error that HEADERS or DATA for `id`, which is not open, amounts to;
  /// NGHTTP2_NO_ERROR when it is to be ignored or opens a stream.
  [[nodiscard]] std::uint32_t verdict(std::int32_t id) const noexcept {
    if (id > last_ || id <= reset_floor_ || reset_.has(id)) return NGHTTP2_NO_ERROR;
    return closed_.has(id) ? NGHTTP2_STREAM_CLOSED : NGHTTP2_PROTOCOL_ERROR;
  }

 private:
  template <std::size_t N>
  struct Recent {
    std::array<std::int32_t, N> ids{};
    std::size_t next = 0;
    /// Returns the one that is forgotten for it.
    std::int32_t add(std::int32_t id) noexcept {
      const std::int32_t forgotten = ids[next];
      ids[next] = id;
      next = (next + 1) % N;
      return forgotten;
    }
    [[nodiscard]] bool has(std::int32_t id) const noexcept {
      return std::find(ids.begin(), ids.end(), id) != ids.end();
    }
  };

  std::int32_t last_ = 0;
  std::int32_t reset_floor_ = 0;  // everything up to here may have been reset by us
  Recent<16> closed_;
  Recent<32> reset_;
};

}  // namespace protean::http2
