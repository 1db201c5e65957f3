// SPDX-License-Identifier: Apache-2.0
// Cuts the bytes of a gRPC stream into messages, one each time one is asked for. What arrives unasked is kept
// as it came (the peer's flow-control window bounds it); what is asked for is assembled in place.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "base/result.h"
#include "transport/grpc/wire.h"

namespace protean::grpc {

/// Not thread-safe.
class MessageReader {
 public:
  explicit MessageReader(MessageRules rules) : rules_(rules), raw_reserved_(*rules.memory) {}

  /// Takes `bytes` as they arrived. Errors are kept and told by take(): kResourceExhausted (a message above
  /// the limit), kUnavailable (memory), kInternal (a broken prefix).
  void feed(std::span<const std::byte> bytes);
  /// One message is wanted. At most one at a time.
  void ask();
  /// The wish is off: the stream ended.  Requires asked() and at_boundary().
  void withdraw() noexcept { asked_ = false; }
  [[nodiscard]] bool asked() const noexcept { return asked_; }
  /// True when take() has something to tell.
  [[nodiscard]] bool ready() const noexcept { return error_.has_value() || complete(); }
  /// The message asked for, decompressed.  Requires ready().
  [[nodiscard]] Result<Slice> take();
  /// Bytes fed that belong to no message taken or being assembled: what the peer's window stays closed for.
  [[nodiscard]] std::size_t unasked_bytes() const noexcept { return raw_.size() - raw_at_; }
  /// True when the stream could end here without cutting a message in two.
  [[nodiscard]] bool at_boundary() const noexcept { return prefix_size_ == 0 && unasked_bytes() == 0; }

 private:
  struct Held {
    explicit Held(MemoryBudget& budget) : reservation(budget) {}
    Buffer buffer;
    Reservation reservation;
  };
  [[nodiscard]] bool complete() const noexcept {
    return asked_ && prefix_size_ == kPrefixBytes && current_ && current_->buffer.size() == prefix_.length;
  }
  std::span<const std::byte> assemble(std::span<const std::byte> bytes);
  void begin_message();
  void keep(std::span<const std::byte> bytes);

  MessageRules rules_;
  Buffer raw_;  // unasked bytes, from raw_at_ on
  std::size_t raw_at_ = 0;
  Reservation raw_reserved_;
  bool asked_ = false;
  std::array<std::byte, kPrefixBytes> prefix_bytes_{};
  std::size_t prefix_size_ = 0;
  Prefix prefix_;
  std::shared_ptr<Held> current_;  // the message being assembled, once its prefix is known
  std::optional<Error> error_;
};

}  // namespace protean::grpc
