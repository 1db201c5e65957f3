// SPDX-License-Identifier: Apache-2.0
// Collects a request body in one buffer of about the announced size. Memory counts against the budget as
// bytes arrive, so that announcing much and sending little costs the server nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/buffer.h"
#include "core/memory_budget.h"

namespace protean::http2 {

/// Not thread-safe.
class BodyCollector {
 public:
  explicit BodyCollector(MemoryBudget& budget) noexcept : budget_(&budget) {}

  enum class Added : unsigned char { kOk, kTooLarge, kNoMemory };
  /// The body will have `total` bytes, if the client keeps its word; 0: unknown.
  void expect(std::size_t total) noexcept { expected_ = total; }
  [[nodiscard]] Added add(std::span<const std::byte> bytes, std::size_t size_max);
  [[nodiscard]] std::size_t size() const noexcept { return held_ ? held_->buffer.size() : 0; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept;
  /// The body; its memory and the share of the budget live as long as the Slice.
  [[nodiscard]] Slice take();
  /// Frees what has been collected.
  void drop() noexcept { held_.reset(); }

 private:
  struct Held {
    explicit Held(MemoryBudget& budget) : reservation(budget) {}
    Buffer buffer;
    Reservation reservation;
  };
  MemoryBudget* budget_;
  std::size_t expected_ = 0;
  std::shared_ptr<Held> held_;  // null until the first byte
};

}  // namespace protean::http2
