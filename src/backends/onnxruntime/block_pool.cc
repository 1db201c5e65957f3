// SPDX-License-Identifier: Apache-2.0
// A header before each block says what it is, so that release() needs no size.
#include "backends/onnxruntime/block_pool.h"

#include <bit>
#include <limits>
#include <new>

namespace protean {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kPadding = 64;
constexpr std::size_t kNotPooled = std::numeric_limits<std::size_t>::max();
/// More than any machine gives one tensor; asking for it is an error in a shape.
constexpr std::size_t kBlockBytesMax = std::size_t{1} << 39;
constexpr unsigned kFirstPower = std::bit_width(kPooledBytesMin) - 1;

struct alignas(kAlignment) Header {
  std::size_t size_class;
  std::size_t bytes;
};

struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};

/// Requires kPooledBytesMin <= size <= kBlockBytesMax. At most a quarter more than asked for.
SizeClass size_class_of(std::size_t size) noexcept {
  const auto power = static_cast<unsigned>(std::bit_width(size)) - 1;
  const std::size_t step = (std::size_t{1} << power) / 4;
  const std::size_t steps = (size - (std::size_t{1} << power) + step - 1) / step;  // 0 to 4
  return {4 * (power - kFirstPower) + steps, (std::size_t{1} << power) + steps * step};
}

std::size_t bytes_of(std::size_t index) noexcept {
  const std::size_t base = std::size_t{1} << (kFirstPower + index / 4);
  return base + (index % 4) * (base / 4);
}

Header* new_block(std::size_t bytes, std::size_t size_class) noexcept {
  if (bytes > kBlockBytesMax) return nullptr;
  void* memory = ::operator new (bytes + sizeof(Header) + kPadding, std::align_val_t{kAlignment}, std::nothrow);
  return memory == nullptr ? nullptr : new (memory) Header{size_class, bytes};
}

void delete_block(Header* header) noexcept { ::operator delete (header, std::align_val_t{kAlignment}); }

}  // namespace

void* BlockPool::reserve(std::size_t size) noexcept {
  Header* header = new_block(size, kNotPooled);
  return header == nullptr ? nullptr : header + 1;
}

void* BlockPool::allocate(std::size_t size) noexcept {
  if (size < kPooledBytesMin || size > kBlockBytesMax) return reserve(size);
  const auto wanted = size_class_of(size);
  {
    const std::lock_guard lock(mutex_);
    auto& blocks = free_[wanted.index];
    if (!blocks.empty()) {
      void* block = blocks.back();
      blocks.pop_back();
      kept_bytes_ -= wanted.bytes;
      return block;
    }
  }
  Header* header = new_block(wanted.bytes, wanted.index);
  return header == nullptr ? nullptr : header + 1;
}

void BlockPool::release(void* block) noexcept {
  if (block == nullptr) return;
  Header* header = static_cast<Header*>(block) - 1;
  const auto index = header->size_class;
  if (index == kNotPooled) {
    delete_block(header);
    return;
  }
  const auto bytes = bytes_of(index);
  try {
    const std::lock_guard lock(mutex_);
    const auto most = kept_bytes_max_.load(std::memory_order_relaxed);
    if (kept_bytes_ <= most && bytes <= most - kept_bytes_) {
      free_[index].push_back(block);
      kept_bytes_ += bytes;
      return;
    }
  } catch (const std::bad_alloc&) {  // no room to remember it: give it back
  }
  delete_block(header);
}

std::size_t BlockPool::size_of(const void* block) noexcept {
  return block == nullptr ? 0 : (static_cast<const Header*>(block) - 1)->bytes;
}

std::size_t BlockPool::kept_bytes() const {
  const std::lock_guard lock(mutex_);
  return kept_bytes_;
}

void BlockPool::trim() noexcept {
  const std::lock_guard lock(mutex_);
  for (auto& blocks : free_) {
    for (void* block : blocks) delete_block(static_cast<Header*>(block) - 1);
    blocks.clear();
  }
  kept_bytes_ = 0;
}

}  // namespace protean
