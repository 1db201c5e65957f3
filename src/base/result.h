// SPDX-License-Identifier: Apache-2.0
// How things fail here: Result<T> carries a value or an Error, and TRY hands an Error to the caller.
// Codes are the sixteen of gRPC, so that every protocol needs one table only: from Code to its own status.
#pragma once

#include <chrono>
#include <source_location>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace protean {

/// Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html (numbers are the wire numbers).
enum class Code : unsigned char {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// `INVALID_ARGUMENT` and so on: the names gRPC documents, used in logs and metric labels.
std::string_view code_name(Code code) noexcept;

/// What went wrong, for whom to read, and where it arose.  A value type; never empty.
/// `retry_after`: when the same request may succeed, for refusals that are only about load; zero: unknown.
/// `reason`: a constant that tells apart what has the same code, for those who word it in their own way; may be empty.
struct [[nodiscard]] Error {
  Code code = Code::kUnknown;
  std::string message;
  std::source_location where;
  std::chrono::nanoseconds retry_after{};
  std::string_view reason = {};  // of static storage
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// The one way to fail: `return fail(Code::kNotFound, "model 'x' ...");`
[[nodiscard]] inline tl::unexpected<Error> fail(Code code, std::string message,
                                                std::source_location where = std::source_location::current()) {
  return tl::unexpected<Error>(Error{code, std::move(message), where, {}, {}});
}

/// The same with a reason, a constant of static storage.
[[nodiscard]] inline tl::unexpected<Error> fail_as(std::string_view reason, Code code, std::string message,
                                                   std::source_location where = std::source_location::current()) {
  return tl::unexpected<Error>(Error{code, std::move(message), where, {}, reason});
}

}  // namespace protean

#define PROTEAN_CONCAT_INNER(a, b) a##b
#define PROTEAN_CONCAT(a, b) PROTEAN_CONCAT_INNER(a, b)

/// `TRY(auto x, make_x());` declares x from the value, or returns the error.
#define TRY(declaration, expression) TRY_IMPL(PROTEAN_CONCAT(try_result_, __LINE__), declaration, expression)
#define TRY_IMPL(name, declaration, expression)                                  \
  auto name = (expression);                                                      \
  if (!name) return ::tl::unexpected<::protean::Error>(std::move(name).error()); \
  declaration = *std::move(name)

/// `TRY_STATUS(check());` returns the error if there is one.
#define TRY_STATUS(expression)                                                  \
  do {                                                                          \
    if (auto try_status = (expression); !try_status)                            \
      return ::tl::unexpected<::protean::Error>(std::move(try_status).error()); \
  } while (false)
