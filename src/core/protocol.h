// SPDX-License-Identifier: Apache-2.0
// A dialect: translates requests into operations and outcomes into that product's exact bytes.
// Pure translation - no sockets, no threads, no model is touched here.
#pragma once

#include <string_view>
#include <utility>

#include "base/result.h"
#include "core/exchange.h"
#include "core/http.h"
#include "core/operation.h"

namespace protean {

/// Stateless or constant after construction; all methods thread-safe.
class Protocol {
 public:
  virtual ~Protocol() = default;
  /// Folder name, configuration key, metric label: `open_inference`.
  [[nodiscard]] virtual std::string_view id() const noexcept = 0;
  /// Whether this request's wire and path belong to this dialect (whatever its method).
  [[nodiscard]] virtual bool claims(const RequestHead& head) const noexcept = 0;
  /// kMessages for gRPC methods with a stream of requests or of responses.
  [[nodiscard]] virtual BodyMode body_mode(const RequestHead&) const noexcept { return BodyMode::kWhole; }
  /// What is asked. For a kMessages call `body` is one message.
  /// Errors: what the client did wrong, in its own terms; encode_error() turns them into bytes.
  [[nodiscard]] virtual Result<Operation> decode(const RequestView& request) const = 0;
  /// What only the model tells: the types of values that came without one, outputs by other names. Called for each
  /// inference of the operation once its function is known, before it is held against `signature`; nullptr: there is no
  /// such model, version or function, and what is returned here is answered in place of that, if it is an error.
  /// Errors: as decode().
  [[nodiscard]] virtual Status bind(const RequestView&, InferRequest&, const Signature*) const { return {}; }
  /// The answer's bytes.  `operation` is what decode() returned for this request.
  /// Errors: an outcome that the dialect cannot express (BYTES that are no UTF-8 as JSON); encode_error() follows.
  [[nodiscard]] virtual Result<Response> encode(const RequestView& request, const Operation& operation,
                                                Outcome outcome) const = 0;
  /// One part of the answer to an InferRequest with `stream`: a message of a gRPC stream, or a piece of a body, whose
  /// first one brings status and headers.  Errors: as encode().
  [[nodiscard]] virtual Result<Response> encode_part(const RequestView& request, const Operation& operation,
                                                     InferResult part) const {
    return encode(request, operation, Outcome(std::move(part)));
  }
  /// What ends an HTTP answer of which parts have been sent: the piece that tells the client why.
  [[nodiscard]] virtual Response encode_late_error(const RequestView& request, const Error& error) const {
    return encode_error(request, error);
  }
  [[nodiscard]] virtual Response encode_error(const RequestView& request, const Error& error) const = 0;
  /// The same for a request that decode() understood, for dialects whose messages tell what was asked for.
  [[nodiscard]] virtual Response encode_failure(const RequestView& request, const Operation& operation,
                                                const Error& error) const {
    static_cast<void>(operation);
    return encode_error(request, error);
  }
};

}  // namespace protean
