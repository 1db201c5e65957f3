// SPDX-License-Identifier: Apache-2.0
// The body of one answer, or the messages of one stream, waiting for flow control to let them go.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "transport/grpc/wire.h"
#include "transport/output_queue.h"

namespace protean::http2 {

/// Not thread-safe.
class Outbound {
 public:
  void push(Slice piece);
  /// One gRPC message: its prefix, then the parts.  Requires that they are together below 4 GiB.
  void push_message(std::vector<Slice> parts, bool compressed);
  /// Lets go of `owner` once all that has been pushed so far is sent, or with this.
  void hold(std::shared_ptr<const void> owner);
  /// Nothing more will be pushed.
  void close() noexcept { closed_ = true; }
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }
  /// Moves the next `count` bytes to `out`.  Requires count <= size().
  void move_to(OutputQueue& out, std::size_t count);

 private:
  void forget_sent();
  struct Piece {
    Slice slice;
    std::array<std::byte, grpc::kPrefixBytes> prefix{};
    std::size_t prefix_size = 0;
    std::shared_ptr<const void> held;
  };
  std::vector<Piece> pieces_;
  std::size_t front_ = 0;     // pieces before it are gone
  std::size_t front_at_ = 0;  // bytes of the front piece that are gone, prefix included
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace protean::http2
