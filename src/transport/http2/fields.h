// SPDX-License-Identifier: Apache-2.0
// Field lists of answers in the shape that nghttp2 takes them.
#pragma once

#include <nghttp2/nghttp2.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/http.h"

namespace protean::http2 {

/// Views only: everything added must live until the list has been submitted (static text: for ever).
/// Not thread-safe.
class Fields {
 public:
  /// Both live for ever; `name` is in lower case.
  void add_static(std::string_view name, std::string_view value);
  void add(std::string_view name, std::string_view value);
  /// The fields of a response without those that HTTP/2 forbids (RFC 9113 8.2.2) or that are malformed.
  void add_all(const std::vector<std::pair<std::string, std::string>>& headers);
  /// The same for gRPC, whose own fields nobody else may set.
  void add_metadata(const std::vector<std::pair<std::string, std::string>>& headers);
  [[nodiscard]] std::span<const nghttp2_nv> view() const noexcept { return fields_; }
  void clear() noexcept { fields_.clear(); }

 private:
  std::vector<nghttp2_nv> fields_;
};

/// `200` and so on; lives for ever for the usual ones, else until the next call on this thread.
[[nodiscard]] std::string_view status_digits(int status);

}  // namespace protean::http2
