// SPDX-License-Identifier: Apache-2.0
// Memory for tensors. Large blocks are kept for the next run, because getting them from the system costs a
// page fault for each 4 KB; small ones are the process's allocator's business, which is faster than a pool.
// One pool serves all models, where ONNX Runtime would have an arena for each that only ever grows.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <vector>

namespace protean {

/// Smaller blocks are not kept.
inline constexpr std::size_t kPooledBytesMin = std::size_t{1} << 18;

/// Blocks of memory, 64-byte-aligned, with 64 readable bytes behind them (vector kernels read past the end).
/// Thread-safe.
class BlockPool {
 public:
  BlockPool() = default;
  ~BlockPool() { trim(); }
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// Contents are uninitialised. nullptr when memory is gone, or `size` above 2^39.
  [[nodiscard]] void* allocate(std::size_t size) noexcept;
  /// As allocate(), for blocks that stay: exactly as large as asked for, and never kept afterwards.
  [[nodiscard]] void* reserve(std::size_t size) noexcept;
  /// `block`: from allocate() or reserve(), or nullptr.
  void release(void* block) noexcept;

  /// Bytes that `block` (from allocate() or reserve(), or nullptr) can hold.
  [[nodiscard]] static std::size_t size_of(const void* block) noexcept;

  /// How much may lie unused; what comes back beyond it goes to the system.
  void keep_at_most(std::size_t bytes) noexcept { kept_bytes_max_.store(bytes, std::memory_order_relaxed); }
  /// Bytes that lie unused.
  [[nodiscard]] std::size_t kept_bytes() const;
  /// Gives back to the system what lies unused.
  void trim() noexcept;

 private:
  /// Sizes are rounded up to four steps for each power of two, from kPooledBytesMin on.
  static constexpr std::size_t kClasses = 4 * 24;

  std::atomic<std::size_t> kept_bytes_max_{std::size_t{512} << 20};
  mutable std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> free_;  // guarded by mutex_
  std::size_t kept_bytes_ = 0;                     // guarded by mutex_
};

}  // namespace protean
