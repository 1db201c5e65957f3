// SPDX-License-Identifier: Apache-2.0
// Reads FlatBuffers whose bytes nobody has checked: every offset is held against the buffer before it is followed.
// Source: FlatBuffers internals (flatbuffers.dev/internals): tables, vtables, vectors, strings; little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace protean {

class FlatVector;

/// One table of a buffer that outlives it. Fields that are absent, or that lie outside, are nullopt; nothing throws.
class FlatTable {
 public:
  /// The root of `buffer`, behind its first offset.
  static std::optional<FlatTable> root(std::string_view buffer) noexcept;

  [[nodiscard]] std::optional<std::int8_t> int8(unsigned field) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> uint32(unsigned field) const noexcept;
  [[nodiscard]] std::optional<std::string_view> text(unsigned field) const noexcept;
  [[nodiscard]] std::optional<FlatTable> table(unsigned field) const noexcept;
  /// Of elements of `element_bytes` each: 4 for offsets and 32-bit numbers.
  [[nodiscard]] std::optional<FlatVector> vector(unsigned field, std::size_t element_bytes = 4) const noexcept;

 private:
  friend class FlatVector;
  FlatTable(std::string_view buffer, std::size_t place) noexcept : buffer_(buffer), place_(place) {}
  static std::optional<FlatTable> at(std::string_view buffer, std::size_t place) noexcept;
  /// Where the field's own bytes are, if it has `bytes` of them.
  [[nodiscard]] std::optional<std::size_t> find(unsigned field, std::size_t bytes) const noexcept;

  std::string_view buffer_;
  std::size_t place_;
};

/// Elements that are all inside the buffer.
class FlatVector {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Requires i < size().
  [[nodiscard]] std::int32_t int32(std::size_t i) const noexcept;
  [[nodiscard]] std::optional<FlatTable> table(std::size_t i) const noexcept;

 private:
  friend class FlatTable;
  FlatVector(std::string_view buffer, std::size_t first, std::size_t size) noexcept
      : buffer_(buffer), first_(first), size_(size) {}
  std::string_view buffer_;
  std::size_t first_;
  std::size_t size_;
};

}  // namespace protean
