// SPDX-License-Identifier: Apache-2.0
// Bytes and who keeps them alive. A Buffer is unique, writable memory; a Slice is a read-only view that
// shares ownership of whatever holds the bytes (a Buffer, a framework's tensor, static data), so that a
// tensor can travel from the socket to the backend and back without being copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace protean {

/// Every Buffer starts at a multiple of this many bytes.
inline constexpr std::size_t kBufferAlignment = 64;
/// Readable bytes past the end of every Buffer, for parsers that read whole vectors (simdjson asks for 64).
inline constexpr std::size_t kBufferPadding = 64;

/// A view of bytes and a share in their owner.  Copying copies the share, never the bytes.
/// Thread-safe as far as the owner's reference count is: the bytes are immutable.
struct Slice {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
  /// Bytes that may be read (not used) past the end; kBufferPadding for whole Buffers, 0 when unknown.
  std::size_t padding = 0;

  [[nodiscard]] std::size_t size() const noexcept { return bytes.size(); }
  [[nodiscard]] bool empty() const noexcept { return bytes.empty(); }
  [[nodiscard]] const std::byte* data() const noexcept { return bytes.data(); }
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  /// The part [offset, offset + count).  Requires offset + count <= size().
  [[nodiscard]] Slice part(std::size_t offset, std::size_t count) const;

  static Slice of(std::string text);
  /// A view of bytes that live for ever (string literals, embedded files).
  static Slice of_static(std::string_view text) noexcept;
};

/// Growable, 64-byte-aligned, padded bytes.  Movable, not copyable, not thread-safe.
/// Contents are uninitialised until written; the padding is zero.
class Buffer {
 public:
  Buffer() noexcept = default;
  explicit Buffer(std::size_t size) { resize(size); }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  [[nodiscard]] std::byte* data() noexcept { return data_; }
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::span<std::byte> span() noexcept { return {data_, size_}; }
  [[nodiscard]] std::span<const std::byte> span() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

  /// Keeps what fits; new bytes are uninitialised.  Throws std::bad_alloc when memory is gone.
  void resize(std::size_t size);
  void reserve(std::size_t capacity);
  void append(const void* bytes, std::size_t count);
  void append(std::string_view text) { append(text.data(), text.size()); }
  void append(std::span<const std::byte> bytes) { append(bytes.data(), bytes.size()); }
  void clear() noexcept { size_ = 0; }

  /// Freezes the bytes: the Slice (and its copies) own them from now on; this Buffer is empty afterwards.
  [[nodiscard]] Slice share() &&;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace protean
