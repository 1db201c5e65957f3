// SPDX-License-Identifier: Apache-2.0
// What gRPC adds to HTTP/2 on the wire, as pure functions: content types, timeouts, message prefixes,
// compression names and status texts.
// Source: grpc/doc/PROTOCOL-HTTP2.md, compression.md, http-grpc-status-mapping.md of the gRPC project.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/result.h"
#include "core/memory_budget.h"
#include "transport/content_coding.h"

namespace protean::grpc {

/// `application/grpc` or `application/grpc+proto`, with or without parameters: kGrpc. Other message formats
/// and grpc-web: kUnsupported. Everything else: kOther.
enum class ContentType : unsigned char { kOther, kGrpc, kUnsupported };
[[nodiscard]] ContentType classify_content_type(std::string_view content_type) noexcept;

/// `grpc-timeout`: 1 to 8 digits and one of H M S m u n; never above 99,999,999 hours.
/// Errors: kInternal, as grpc-go answers a malformed one.
[[nodiscard]] Result<Duration> parse_timeout(std::string_view text);

/// The bytes before each message: a flag and the length, big-endian.
inline constexpr std::size_t kPrefixBytes = 5;
struct Prefix {
  bool compressed = false;
  std::uint32_t length = 0;
};
[[nodiscard]] std::array<std::byte, kPrefixBytes> encode_prefix(Prefix prefix) noexcept;
/// nullopt when the flag byte is neither 0 nor 1.
[[nodiscard]] std::optional<Prefix> decode_prefix(std::span<const std::byte, kPrefixBytes> bytes) noexcept;

/// What a client may send in `grpc-encoding`, for `grpc-accept-encoding`.
inline constexpr std::string_view kAcceptedEncodings = "identity,deflate,gzip";

/// `grpc-encoding`; nullopt: identity.  Errors: kUnimplemented for one not known.
[[nodiscard]] Result<std::optional<Coding>> parse_encoding(std::string_view name);
/// Whether `grpc-accept-encoding` has `gzip`.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding) noexcept;

/// How the messages of one call come in, and how large they may be.
struct MessageRules {
  std::optional<Coding> coding;
  std::size_t bytes_max = 0;
  MemoryBudget* memory = nullptr;
};

/// `body` decoded, holding its share of the memory budget as long as it lives.
/// Errors: those of decode_body().
[[nodiscard]] Result<Slice> decode_held(Coding coding, const Slice& body, const MessageRules& rules);

/// The message behind its prefix: itself, or decoded when the prefix says so.
/// Errors: kInternal (compressed without an encoding, corrupt), kResourceExhausted, kUnavailable.
[[nodiscard]] Result<Slice> unpack_message(const MessageRules& rules, bool compressed, Slice message);

/// The one message of a unary request's body.  An uncompressed one is a part of `body`, not a copy.
/// Errors: as unpack_message(); kUnimplemented for no or several messages; kInternal for a broken one.
[[nodiscard]] Result<Slice> unpack_unary(const MessageRules& rules, const Slice& body);

/// `grpc-message`: bytes outside 0x20..0x7E and `%` become %XX.
[[nodiscard]] std::string percent_encode(std::string_view message);

/// `0` to `16`.  Static.
[[nodiscard]] std::string_view status_text(std::optional<Code> code) noexcept;

/// The code of a call that was answered with a plain HTTP status; nullopt for 200.
[[nodiscard]] std::optional<Code> code_of_http_status(int status) noexcept;

}  // namespace protean::grpc
