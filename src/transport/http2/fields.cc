// SPDX-License-Identifier: Apache-2.0
// Field lists for nghttp2: see the header.
#include "transport/http2/fields.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace protean::http2 {
namespace {

nghttp2_nv make_field(std::string_view name, std::string_view value, int flags) {
  // nghttp2 takes pointers to mutable bytes and never writes through them.
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), static_cast<std::uint8_t>(flags)};
}

bool belongs_to_http1(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"connection",        "keep-alive", "proxy-connection",
                                                      "transfer-encoding", "upgrade",    "content-length"};
  return std::any_of(kNames.begin(), kNames.end(), [&](auto other) { return equals_ignore_case(name, other); });
}

bool is_well_formed(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); };
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return !lower.empty() && lower.front() != ':' && nghttp2_check_header_name(bytes(lower), lower.size()) != 0 &&
         nghttp2_check_header_value_rfc9113(bytes(value), value.size()) != 0;
}

}  // namespace

void Fields::add_static(std::string_view name, std::string_view value) {
  fields_.push_back(make_field(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE));
}

void Fields::add(std::string_view name, std::string_view value) {
  fields_.push_back(make_field(name, value, NGHTTP2_NV_FLAG_NONE));  // nghttp2 lowers the name of its copy
}

void Fields::add_all(const std::vector<std::pair<std::string, std::string>>& headers) {
  for (const auto& [name, value] : headers) {
    if (!belongs_to_http1(name) && is_well_formed(name, value)) add(name, value);
  }
}

void Fields::add_metadata(const std::vector<std::pair<std::string, std::string>>& headers) {
  for (const auto& [name, value] : headers) {
    const bool ours = equals_ignore_case(name, "content-type") || equals_ignore_case(name.substr(0, 5), "grpc-");
    if (name == "grpc-retry-pushback-ms" && is_well_formed(name, value)) {  // the one of theirs that servers may set
      add(name, value);
      continue;
    }
    if (!ours && !belongs_to_http1(name) && is_well_formed(name, value)) add(name, value);
  }
}

std::string_view status_digits(int status) {
  switch (status) {
    case 200: return "200";
    case 400: return "400";
    case 404: return "404";
    default: break;
  }
  thread_local std::string digits;
  digits = std::to_string(std::clamp(status, 100, 999));
  return digits;
}

}  // namespace protean::http2
