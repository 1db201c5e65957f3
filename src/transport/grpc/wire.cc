// SPDX-License-Identifier: Apache-2.0
// gRPC's wire details: see the header.
#include "transport/grpc/wire.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace protean::grpc {
namespace {

/// A decoded message and the memory it has been granted.
struct HeldMessage {
  Slice slice;
  Reservation reservation;
};

std::optional<Duration> timeout_unit(char unit) noexcept {
  switch (unit) {
    case 'H': return std::chrono::hours(1);
    case 'M': return std::chrono::minutes(1);
    case 'S': return std::chrono::seconds(1);
    case 'm': return std::chrono::milliseconds(1);
    case 'u': return std::chrono::microseconds(1);
    case 'n': return std::chrono::nanoseconds(1);
    default: return std::nullopt;
  }
}

}  // namespace

ContentType classify_content_type(std::string_view content_type) noexcept {
  constexpr std::string_view kBase = "application/grpc";
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (!equals_ignore_case(type.substr(0, kBase.size()), kBase)) return ContentType::kOther;
  const std::string_view rest = type.substr(kBase.size());
  if (rest.empty() || equals_ignore_case(rest, "+proto")) return ContentType::kGrpc;
  return rest.front() == '+' || rest.front() == '-' ? ContentType::kUnsupported : ContentType::kOther;
}

Result<Duration> parse_timeout(std::string_view text) {
  constexpr std::size_t kDigitsMax = 8;
  const auto malformed = [&] {
    return fail(Code::kInternal,
                "grpc-timeout '" + printable(text) + "': expected 1 to 8 digits and one of H M S m u n");
  };
  if (text.size() < 2 || text.size() > kDigitsMax + 1) return malformed();
  const auto value = parse_uint64(text.substr(0, text.size() - 1));
  const auto unit = timeout_unit(text.back());
  if (!value || !unit) return malformed();
  // 99,999,999 hours pass 2^63 nanoseconds: such a deadline is as good as the longest one there is.
  const auto count = static_cast<Duration::rep>(*value);
  if (count > Duration::max() / 2 / *unit) return Duration::max() / 2;
  return *unit * count;
}

std::array<std::byte, kPrefixBytes> encode_prefix(Prefix prefix) noexcept {
  const auto octet = [&](unsigned shift) { return static_cast<std::byte>((prefix.length >> shift) & 0xFF); };
  return {std::byte{prefix.compressed}, octet(24), octet(16), octet(8), octet(0)};
}

std::optional<Prefix> decode_prefix(std::span<const std::byte, kPrefixBytes> bytes) noexcept {
  if (std::to_integer<unsigned>(bytes[0]) > 1) return std::nullopt;
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < kPrefixBytes; ++i) length = (length << 8) | std::to_integer<std::uint32_t>(bytes[i]);
  return Prefix{bytes[0] != std::byte{0}, length};
}

Result<std::optional<Coding>> parse_encoding(std::string_view name) {
  const std::string_view encoding = trim(name);
  if (encoding.empty() || encoding == "identity") return std::nullopt;
  if (encoding == "gzip") return Coding::kGzip;
  if (encoding == "deflate") return Coding::kDeflate;
  return fail(Code::kUnimplemented,
              "grpc-encoding '" + printable(encoding) + "': expected one of " + std::string(kAcceptedEncodings));
}

bool accepts_gzip(std::string_view accept_encoding) noexcept {
  while (!accept_encoding.empty()) {
    const auto end = accept_encoding.find(',');
    if (trim(accept_encoding.substr(0, end)) == "gzip") return true;
    if (end == std::string_view::npos) return false;
    accept_encoding.remove_prefix(end + 1);
  }
  return false;
}

Result<Slice> decode_held(Coding coding, const Slice& body, const MessageRules& rules) {
  Reservation reservation(*rules.memory);
  TRY(Slice decoded, decode_body(coding, body, rules.bytes_max, &reservation));
  auto held = std::make_shared<const HeldMessage>(HeldMessage{std::move(decoded), std::move(reservation)});
  return Slice{held, held->slice.bytes, held->slice.padding};
}

Result<Slice> unpack_message(const MessageRules& rules, bool compressed, Slice message) {
  if (!compressed) return message;
  if (!rules.coding) return fail(Code::kInternal, "message is marked as compressed, but the call has no grpc-encoding");
  auto decoded = decode_held(*rules.coding, message, rules);
  // To gRPC a message that does not decompress is a fault of the transport, not of the call's arguments.
  if (!decoded && decoded.error().code == Code::kInvalidArgument) decoded.error().code = Code::kInternal;
  return decoded;
}

Result<Slice> unpack_unary(const MessageRules& rules, const Slice& body) {
  if (body.empty()) return fail(Code::kUnimplemented, "unary call without a message: expected exactly one");
  if (body.size() < kPrefixBytes) {
    return fail(Code::kInternal,
                "request ends inside a message prefix: " + std::to_string(body.size()) + " of 5 bytes");
  }
  const auto prefix = decode_prefix(body.bytes.first<kPrefixBytes>());
  if (!prefix) return fail(Code::kInternal, "message prefix: the compressed flag is neither 0 nor 1");
  const std::size_t length = body.size() - kPrefixBytes;
  if (length < prefix->length) {
    return fail(Code::kInternal, "request ends inside a message: " + std::to_string(length) + " of " +
                                     std::to_string(prefix->length) + " bytes");
  }
  if (length > prefix->length) {
    return fail(Code::kUnimplemented, "unary call with more than one message: expected exactly one");
  }
  return unpack_message(rules, prefix->compressed, body.part(kPrefixBytes, length));
}

std::string percent_encode(std::string_view message) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(message.size());
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7E && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string_view status_text(std::optional<Code> code) noexcept {
  constexpr std::array<std::string_view, 17> kTexts = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                                       "9", "10", "11", "12", "13", "14", "15", "16"};
  const auto index = code ? static_cast<std::size_t>(*code) : 0;
  return index < kTexts.size() ? kTexts[index] : kTexts[2];
}

std::optional<Code> code_of_http_status(int status) noexcept {
  switch (status) {
    case 200: return std::nullopt;
    case 400: return Code::kInternal;
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kUnimplemented;
    case 408: return Code::kCancelled;
    case 413: return Code::kResourceExhausted;
    case 431: return Code::kResourceExhausted;
    case 429:
    case 502:
    case 503:
    case 504: return Code::kUnavailable;
    default: return Code::kUnknown;
  }
}

}  // namespace protean::grpc
