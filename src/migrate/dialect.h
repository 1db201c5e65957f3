// SPDX-License-Identifier: Apache-2.0
// What the engine must know of a product to prove that two servers of it agree: how calls are called, which of them may
// be sent twice, and what makes two answers the same. One folder below this one implements it for each product.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/http.h"
#include "migrate/answer.h"
#include "migrate/difference.h"

namespace protean::migrate {

/// `model`: empty when the call names none.  `method`: `REST predict`, `gRPC Predict`.
struct CallName {
  std::string model;
  std::string method;
  auto operator<=>(const CallName&) const = default;
};

/// Without state; every method is thread-safe.
class DialectRules {
 public:
  virtual ~DialectRules() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] virtual CallName name_call(const RequestHead& head, const Slice& body) const = 0;
  /// False for calls that change a server: they go to one side only, once.
  [[nodiscard]] virtual bool may_repeat(const RequestHead& head) const = 0;
  /// Neither answer has an error.  `tolerance`: relative and absolute.
  virtual void compare(Comparison& out, const RequestHead& request, const Answer& from, const Answer& to,
                       double tolerance) const = 0;
  /// The request for people, at most `bytes_max` bytes.
  [[nodiscard]] virtual std::string describe(const RequestHead& head, const Slice& body,
                                             std::size_t bytes_max) const = 0;
  /// The body of an answer that we give ourselves, as the product would word an error.
  [[nodiscard]] virtual std::string error_body(std::string_view message) const = 0;
};

[[nodiscard]] std::unique_ptr<DialectRules> make_tfserving_dialect();

/// nullptr when there is no dialect of that name.
[[nodiscard]] std::unique_ptr<DialectRules> make_dialect(std::string_view name);

}  // namespace protean::migrate
