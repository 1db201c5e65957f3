// SPDX-License-Identifier: Apache-2.0
// Bodies on their way out: see the header.
#include "transport/http2/outbound.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace protean::http2 {

void Outbound::push(Slice piece) {
  if (piece.empty()) return;
  bytes_ += piece.size();
  pieces_.push_back({std::move(piece), {}, 0, nullptr});
}

void Outbound::hold(std::shared_ptr<const void> owner) {
  if (owner != nullptr && front_ < pieces_.size()) pieces_.back().held = std::move(owner);
}

void Outbound::push_message(std::vector<Slice> parts, bool compressed) {
  std::size_t length = 0;
  for (const auto& part : parts) length += part.size();
  PROTEAN_CHECK(length <= UINT32_MAX);
  Piece first;
  first.prefix = grpc::encode_prefix({compressed, static_cast<std::uint32_t>(length)});
  first.prefix_size = grpc::kPrefixBytes;
  if (!parts.empty()) first.slice = std::move(parts.front());
  bytes_ += grpc::kPrefixBytes + first.slice.size();
  pieces_.push_back(std::move(first));
  for (std::size_t i = 1; i < parts.size(); ++i) push(std::move(parts[i]));
}

void Outbound::move_to(OutputQueue& out, std::size_t count) {
  PROTEAN_CHECK(count <= bytes_);
  bytes_ -= count;
  while (count > 0) {
    Piece& piece = pieces_[front_];
    const std::size_t piece_size = piece.prefix_size + piece.slice.size();
    if (front_at_ < piece.prefix_size) {
      const std::size_t part = std::min(count, piece.prefix_size - front_at_);
      out.append_copy({reinterpret_cast<const char*>(piece.prefix.data()) + front_at_, part});
      front_at_ += part;
      count -= part;
    }
    // Zero while the prefix itself is not through.
    const std::size_t part = std::min(count, piece_size - front_at_);
    if (part > 0) {
      const std::size_t at = front_at_ - piece.prefix_size;
      out.append(part == piece.slice.size() ? std::move(piece.slice) : piece.slice.part(at, part));
      front_at_ += part;
      count -= part;
    }
    if (front_at_ == piece_size) {
      piece.slice = Slice();
      out.hold(std::move(piece.held));
      ++front_;
      front_at_ = 0;
    }
  }
  forget_sent();
}

void Outbound::forget_sent() {
  constexpr std::size_t kSentMax = 64;
  if (front_ == pieces_.size()) {
    pieces_.clear();
    front_ = 0;
  } else if (front_ > kSentMax && front_ > pieces_.size() / 2) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(front_));
    front_ = 0;
  }
}

}  // namespace protean::http2
