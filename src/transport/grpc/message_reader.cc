// SPDX-License-Identifier: Apache-2.0
// One message at a time out of a byte stream: see the header.
#include "transport/grpc/message_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/check.h"

namespace protean::grpc {
namespace {

/// Memory is taken as bytes come, in steps of this size, not as a prefix announces.
constexpr std::size_t kStepBytes = std::size_t{64} << 10;
/// So much is allocated at once on the word of a prefix.
constexpr std::size_t kTrustedBytes = std::size_t{1} << 20;

}  // namespace

void MessageReader::feed(std::span<const std::byte> bytes) {
  if (error_) return;
  if (asked_ && !complete()) bytes = assemble(bytes);
  if (!error_ && !bytes.empty()) keep(bytes);
}

void MessageReader::ask() {
  PROTEAN_CHECK(!asked_);
  asked_ = true;
  if (error_) return;
  const auto unread = raw_.span().subspan(raw_at_);
  const auto rest = assemble(unread);
  raw_at_ = raw_.size() - rest.size();
  if (rest.empty()) {
    raw_ = Buffer();
    raw_at_ = 0;
  }
}

Result<Slice> MessageReader::take() {
  if (error_) return tl::unexpected(*error_);
  PROTEAN_CHECK(complete());
  asked_ = false;
  prefix_size_ = 0;
  const auto held = std::move(current_);
  const std::size_t padding = kBufferPadding + held->buffer.capacity() - held->buffer.size();
  const auto bytes = std::as_const(held->buffer).span();
  return unpack_message(rules_, prefix_.compressed, Slice{held, bytes, held->buffer.data() ? padding : 0});
}

/// Returns what lies behind the message's end.
std::span<const std::byte> MessageReader::assemble(std::span<const std::byte> bytes) {
  if (prefix_size_ < kPrefixBytes) {
    const std::size_t count = std::min(bytes.size(), kPrefixBytes - prefix_size_);
    std::copy_n(bytes.begin(), count, prefix_bytes_.begin() + prefix_size_);
    prefix_size_ += count;
    bytes = bytes.subspan(count);
    if (prefix_size_ < kPrefixBytes) return bytes;
    begin_message();
  }
  if (error_) return {};
  Buffer& message = current_->buffer;
  const std::size_t count = std::min(bytes.size(), prefix_.length - message.size());
  const std::size_t size = message.size() + count;
  const std::size_t wanted = std::min<std::size_t>(prefix_.length, (size + kStepBytes - 1) / kStepBytes * kStepBytes);
  if (!current_->reservation.grow_to(wanted)) {
    error_ = Error{Code::kUnavailable, "no memory left for request messages", std::source_location::current()};
    return {};
  }
  message.append(bytes.first(count));
  return bytes.subspan(count);
}

void MessageReader::begin_message() {
  const auto prefix = decode_prefix(prefix_bytes_);
  if (!prefix) {
    error_ = Error{Code::kInternal, "message prefix: the compressed flag is neither 0 nor 1",
                   std::source_location::current()};
    return;
  }
  if (prefix->length > rules_.bytes_max) {
    error_ = Error{Code::kResourceExhausted,
                   "message of " + std::to_string(prefix->length) + " bytes: at most " +
                       std::to_string(rules_.bytes_max) + " allowed",
                   std::source_location::current()};
    return;
  }
  prefix_ = *prefix;
  current_ = std::make_shared<Held>(*rules_.memory);
  current_->buffer.reserve(std::min<std::size_t>(prefix_.length, kTrustedBytes));
}

void MessageReader::keep(std::span<const std::byte> bytes) {
  if (raw_at_ > 0 && raw_at_ >= raw_.size() / 2) {
    const std::size_t left = raw_.size() - raw_at_;
    std::memmove(raw_.data(), raw_.data() + raw_at_, left);
    raw_.resize(left);
    raw_at_ = 0;
  }
  if (!raw_reserved_.grow_to(raw_.size() + bytes.size())) {
    error_ = Error{Code::kUnavailable, "no memory left for request messages", std::source_location::current()};
    return;
  }
  raw_.append(bytes);
}

}  // namespace protean::grpc
