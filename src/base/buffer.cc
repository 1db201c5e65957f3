// SPDX-License-Identifier: Apache-2.0
// Aligned, padded allocation behind Buffer, and the shares behind Slice. Reuse of freed blocks is the
// allocator's work (mimalloc in release builds), which measured faster than a pool of our own.
#include "base/buffer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "base/check.h"

namespace protean {
namespace {

constexpr std::size_t kSizeMax = std::numeric_limits<std::size_t>::max() / 2;

std::byte* allocate(std::size_t capacity) {
  if (capacity > kSizeMax - kBufferPadding) throw std::bad_alloc();
  auto* data = static_cast<std::byte*>(::operator new (capacity + kBufferPadding, std::align_val_t{kBufferAlignment}));
  std::memset(data + capacity, 0, kBufferPadding);
  return data;
}

void release(std::byte* data) noexcept { ::operator delete (data, std::align_val_t{kBufferAlignment}); }

}  // namespace

Slice Slice::part(std::size_t offset, std::size_t count) const {
  PROTEAN_CHECK(offset <= bytes.size() && count <= bytes.size() - offset);
  return {owner, bytes.subspan(offset, count), padding + (bytes.size() - offset - count)};
}

Slice Slice::of(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(*owner));
  return {std::move(owner), bytes, 0};
}

Slice Slice::of_static(std::string_view text) noexcept { return {nullptr, std::as_bytes(std::span(text)), 0}; }

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    release(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

Buffer::~Buffer() { release(data_); }

void Buffer::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  std::byte* data = allocate(capacity);
  if (size_ != 0) std::memcpy(data, data_, size_);
  release(data_);
  data_ = data;
  capacity_ = capacity;
}

void Buffer::resize(std::size_t size) {
  if (size > capacity_) reserve(std::max(size, std::min(capacity_, kSizeMax / 2) * 2));
  size_ = size;
}

void Buffer::append(const void* bytes, std::size_t count) {
  if (count == 0) return;
  if (count > kSizeMax - size_) throw std::bad_alloc();
  const std::size_t start = size_;
  resize(size_ + count);
  std::memcpy(data_ + start, bytes, count);
}

Slice Buffer::share() && {
  const std::span<const std::byte> bytes = span();
  // A Buffer that never held anything has no memory, and so nothing readable behind it either.
  const std::size_t padding = data_ == nullptr ? 0 : kBufferPadding + (capacity_ - size_);
  auto owner = std::make_shared<const Buffer>(std::move(*this));
  return {std::move(owner), bytes, padding};
}

}  // namespace protean
