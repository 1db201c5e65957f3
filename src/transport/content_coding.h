// SPDX-License-Identifier: Apache-2.0
// gzip, deflate and zstd for request and response bodies of every HTTP version, and gzip for gRPC messages.
// Whatever is decoded is bounded before memory for it is taken: a bomb costs one block, never its size.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "base/result.h"
#include "core/http.h"
#include "core/memory_budget.h"

namespace protean {

enum class Coding : unsigned char { kGzip, kDeflate, kZstd };

/// The value of an `accept-encoding` field that tells clients what they may send (RFC 9110 12.5.3).
inline constexpr std::string_view kAcceptedCodings = "gzip, deflate, zstd";

/// `gzip`, `deflate`, `zstd`.
[[nodiscard]] std::string_view coding_name(Coding coding) noexcept;

/// What a `content-encoding` field says; nullopt for an empty field or `identity`.
/// Errors: kUnimplemented for an unknown coding and for more than one.  Source: RFC 9110 8.4.
[[nodiscard]] Result<std::optional<Coding>> parse_content_encoding(std::string_view field);

/// Undoes `coding`. The result is a whole, padded Buffer of at most `size_max` bytes. A gzip or zstd body may
/// consist of several members or frames; `deflate` is accepted with and without its zlib wrapper.
/// `memory`: if given, grows with the result before memory is allocated.
/// Errors: kInvalidArgument (corrupt, truncated, or bytes after the end), kResourceExhausted (over
/// `size_max`), kUnavailable (`memory` spent).  Thread-safe.
[[nodiscard]] Result<Slice> decode_body(Coding coding, const Slice& body, std::size_t size_max,
                                        Reservation* memory = nullptr);

/// The HTTP status of an Error from this file: 415, 400, 413 or 503.
[[nodiscard]] int content_coding_status(Code code) noexcept;

/// All parts, one after another, as one coded Slice.  Thread-safe.
[[nodiscard]] Slice encode_body(Coding coding, std::span<const Slice> parts);

/// The coding an `accept-encoding` field prefers among ours: highest q-value, then zstd, gzip, deflate.
/// nullopt: identity (also for an absent or malformed field).  Source: RFC 9110 12.5.3.
[[nodiscard]] std::optional<Coding> choose_coding(std::string_view accept_encoding) noexcept;

/// Compresses `response.body` when the client asks for it, the body is at least 1 KiB, its content type
/// compresses well (text, JSON and the like) and nobody has coded it before; adds `content-encoding` and, for
/// every body that could have been coded, `vary: accept-encoding`.  Not for gRPC, nor for TensorFlow Serving's dialect,
/// whose replies are never coded.  Thread-safe.
void encode_response(const RequestHead& request, Response& response);

}  // namespace protean
