// SPDX-License-Identifier: Apache-2.0
// The body of the request being read: memory is taken as bytes arrive, never because a client announced them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "core/memory_budget.h"

namespace protean {

/// Loop-thread only.
class RequestBody {
 public:
  /// `bytes_max` bounds the body; `budget` outlives it and is charged with the memory actually taken.
  RequestBody(MemoryBudget& budget, std::size_t bytes_max) : reservation_(budget), bytes_max_(bytes_max) {}

  /// The body will have exactly this many bytes: up to a megabyte is taken now, more as it fills.
  /// Requires announced <= bytes_max.  False when the budget or memory is spent; also below.
  [[nodiscard]] bool announce(std::size_t announced);
  [[nodiscard]] bool append(std::string_view bytes);

  /// Where the next announced bytes go: never empty while rest() > 0.
  [[nodiscard]] std::span<std::byte> target() noexcept {
    return {buffer_.data() + size_, std::min(announced_, buffer_.capacity()) - size_};
  }
  /// `count` bytes were written to target().
  [[nodiscard]] bool fill(std::size_t count);
  /// Announced bytes still to come.
  [[nodiscard]] std::size_t rest() const noexcept { return announced_ > size_ ? announced_ - size_ : 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  [[nodiscard]] Slice share() &&;
  /// Moves the charge to whoever keeps the bytes.
  [[nodiscard]] Reservation& reservation() noexcept { return reservation_; }

 private:
  [[nodiscard]] bool grow(std::size_t capacity) noexcept;

  Reservation reservation_;
  Buffer buffer_;  // its size() follows size_ only in share()
  std::size_t bytes_max_;
  std::size_t announced_ = 0;
  std::size_t size_ = 0;
};

}  // namespace protean
