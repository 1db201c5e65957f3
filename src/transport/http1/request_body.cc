// SPDX-License-Identifier: Apache-2.0
// Growth in steps of four: a 64 MiB body is moved three times, a client that lies costs a megabyte.
#include "transport/http1/request_body.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace protean {
namespace {

constexpr std::size_t kFirstStepBytes = std::size_t{1} << 20;
constexpr std::size_t kStepFactor = 4;
constexpr std::size_t kChunkStepBytes = 4096;

}  // namespace

bool RequestBody::announce(std::size_t announced) {
  announced_ = announced;
  return grow(std::min(announced, kFirstStepBytes));
}

bool RequestBody::append(std::string_view bytes) {
  if (bytes.empty()) return true;
  const std::size_t needed = size_ + bytes.size();
  if (needed > buffer_.capacity()) {
    const std::size_t step = std::max(kChunkStepBytes, buffer_.capacity() * 2);
    if (!grow(std::max(needed, std::min(step, bytes_max_)))) return false;
  }
  std::memcpy(buffer_.data() + size_, bytes.data(), bytes.size());
  size_ = needed;
  return true;
}

bool RequestBody::fill(std::size_t count) {
  size_ += count;
  if (size_ < buffer_.capacity() || rest() == 0) return true;
  return grow(std::min(announced_, size_ * kStepFactor));
}

bool RequestBody::grow(std::size_t capacity) noexcept {
  if (!reservation_.grow_to(capacity)) return false;
  try {
    buffer_.resize(size_);  // reserve() keeps size() bytes
    buffer_.reserve(capacity);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

Slice RequestBody::share() && {
  buffer_.resize(size_);
  return std::move(buffer_).share();
}

}  // namespace protean
