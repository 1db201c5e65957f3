// SPDX-License-Identifier: Apache-2.0
// Turns the field list of one HTTP/2 request into a RequestHead, and says what is wrong with it beyond what
// the framing layer has refused already (RFC 9113 8.1-8.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/http.h"

namespace protean::http2 {

/// Why a head is refused; status 0: it is not.
struct HeadProblem {
  int status = 0;
  std::string message;
};

/// Not thread-safe.
class HeadReader {
 public:
  /// One field in the order received, pseudo-fields first; trailers must not be given to it.
  void add(std::string_view name, std::string_view value, std::size_t bytes_max);
  /// The list is complete: fills in path, query and scheme_host.
  [[nodiscard]] HeadProblem finish(bool is_tls, std::size_t bytes_max);

  RequestHead head;
  std::optional<std::uint64_t> content_length;
  bool expects_continue = false;
  std::string_view content_type() const noexcept { return head.headers.find("content-type").value_or(""); }

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  [[nodiscard]] bool host_agrees() const noexcept;

  std::string authority_;
  bool https_ = false;
  bool odd_scheme_ = false;
  bool too_large_ = false;
  std::size_t bytes_ = 0;
};

}  // namespace protean::http2
