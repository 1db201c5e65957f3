// SPDX-License-Identifier: Apache-2.0
// Messages as the transports hand them over: the head of a request and a response, with nothing of sockets
// or of the HTTP version in them. A gRPC call is a request whose body is one message.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"

namespace protean {

enum class Wire : unsigned char { kHttp1, kHttp2, kGrpc };

/// Header fields in the order received; look-up ignores ASCII case (RFC 9110 5.1).
/// One allocation for all bytes.  Views stay valid until the next add().
class HeaderList {
 public:
  void add(std::string_view name, std::string_view value);
  /// Room for that many fields with names and values of `bytes` in total, so that add() does not allocate.
  void reserve(std::size_t fields, std::size_t bytes);
  /// The first field of that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] std::string_view name(std::size_t i) const noexcept;
  [[nodiscard]] std::string_view value(std::size_t i) const noexcept;

 private:
  struct Field {
    std::uint32_t name_at, name_size, value_size;
  };
  std::string bytes_;
  std::vector<Field> fields_;
};

/// What a listener speaks above its wire: paths mean different things to different products.
/// kDefault: everything that does not collide; kAdmin: the server's own administration; the others: one product's own.
enum class Dialect : unsigned char { kDefault, kAdmin, kTensorflowServing };
inline constexpr std::size_t kDialectCount = 3;

/// As users write it: `default`, `admin`, `tfserving`.
[[nodiscard]] std::string_view dialect_name(Dialect dialect) noexcept;
/// Exact inverse of dialect_name().
[[nodiscard]] std::optional<Dialect> parse_dialect(std::string_view name) noexcept;

/// `path`: as sent, percent escapes not decoded, without the query; `query`: what follows `?`, else empty.
/// `scheme_host`: `http://127.0.0.1:8080` as the client addressed it, for pages that print URLs.
struct RequestHead {
  Wire wire = Wire::kHttp1;
  Dialect dialect = Dialect::kDefault;
  std::string method;
  std::string path;
  std::string query;
  HeaderList headers;
  std::string peer;
  std::string scheme_host;
  TimePoint received_at{};      // first byte of the head
  TimePoint deadline = kNever;  // from grpc-timeout
};

/// A complete request as decoders see it: contiguous body, content coding already undone, and
/// kBufferPadding readable bytes behind it.
struct RequestView {
  const RequestHead& head;
  const Slice& body;
};

/// HTTP: `status`, `headers`, `body`. gRPC: `code` and `message` become the trailers, `body` the message
/// (none is sent when code is not OK); `headers` become initial metadata.
/// The parts of `body` are sent one after another without being copied.
struct Response {
  int status = 200;
  std::optional<Code> grpc_code;  // nullopt: OK
  std::string grpc_message;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<Slice> body;
  /// Observes the time from respond() until the last byte has left for the kernel.
  std::shared_ptr<metrics::Histogram> write_time;
  /// Of a message of a stream, or of the start of an answer in pieces: let go, on any thread, once its last byte has
  /// left for the kernel or never will.
  std::shared_ptr<const void> until_sent;
  bool refused = false;  // for load alone: nothing was computed

  [[nodiscard]] std::size_t body_size() const noexcept;
};

/// A response with one body part and a content type.
[[nodiscard]] Response make_response(int status, std::string_view content_type, Slice body);

/// The text of a status code (`Not Found`), RFC 9110 15.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

/// A path segment with %XX decoded.  nullopt for a broken escape, or when it would hold '/', NUL or be `..`.
[[nodiscard]] std::optional<std::string> decode_segment(std::string_view segment);

}  // namespace protean
