// SPDX-License-Identifier: Apache-2.0
// Growth of request bodies: see the header.
#include "transport/http2/body_collector.h"

#include <algorithm>
#include <utility>

namespace protean::http2 {
namespace {

/// The budget is charged in steps of this size, so that small frames do not each touch the shared counter.
constexpr std::size_t kStepBytes = std::size_t{64} << 10;
/// So much address space is taken at once on the word of a content-length; more only once bytes have come.
constexpr std::size_t kTrustedBytes = std::size_t{4} << 20;
constexpr std::size_t kGrowth = 4;

}  // namespace

BodyCollector::Added BodyCollector::add(std::span<const std::byte> bytes, std::size_t size_max) {
  if (bytes.empty()) return Added::kOk;
  if (!held_) held_ = std::make_shared<Held>(*budget_);
  Buffer& buffer = held_->buffer;
  if (bytes.size() > size_max || buffer.size() > size_max - bytes.size()) return Added::kTooLarge;
  const std::size_t size = buffer.size() + bytes.size();
  const std::size_t expected = std::max(std::min(expected_, size_max), size);
  if (!held_->reservation.grow_to(std::min(expected, (size + kStepBytes - 1) / kStepBytes * kStepBytes))) {
    return Added::kNoMemory;
  }
  if (size > buffer.capacity()) {
    const std::size_t trusted = std::max({kTrustedBytes, size, buffer.capacity() * kGrowth});
    if (expected > buffer.capacity() && expected_ != 0) buffer.reserve(std::min(expected, trusted));
  }
  buffer.append(bytes);
  return Added::kOk;
}

std::span<const std::byte> BodyCollector::bytes() const noexcept {
  if (!held_) return {};
  return std::as_const(held_->buffer).span();
}

Slice BodyCollector::take() {
  if (!held_) return {};
  const auto held = std::move(held_);
  const Buffer& buffer = held->buffer;
  return Slice{held, buffer.span(), kBufferPadding + buffer.capacity() - buffer.size()};
}

}  // namespace protean::http2
