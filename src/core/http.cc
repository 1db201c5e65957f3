// SPDX-License-Identifier: Apache-2.0
// Header storage, status texts and path segments, shared by all transports and protocols.
#include "core/http.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace protean {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void HeaderList::add(std::string_view name, std::string_view value) {
  constexpr std::size_t kBytesMax = UINT32_MAX;
  PROTEAN_CHECK(name.size() + value.size() <= kBytesMax - bytes_.size());
  fields_.push_back({static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(name.size()),
                     static_cast<std::uint32_t>(value.size())});
  bytes_.append(name).append(value);
}

void HeaderList::reserve(std::size_t fields, std::size_t bytes) {
  fields_.reserve(fields);
  bytes_.reserve(bytes);
}

std::optional<std::string_view> HeaderList::find(std::string_view wanted) const noexcept {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].name_size == wanted.size() && equals_ignore_case(name(i), wanted)) return value(i);
  }
  return std::nullopt;
}

std::string_view HeaderList::name(std::size_t i) const noexcept {
  return std::string_view(bytes_).substr(fields_[i].name_at, fields_[i].name_size);
}

std::string_view HeaderList::value(std::size_t i) const noexcept {
  return std::string_view(bytes_).substr(fields_[i].name_at + fields_[i].name_size, fields_[i].value_size);
}

std::size_t Response::body_size() const noexcept {
  std::size_t total = 0;
  for (const auto& part : body) total += part.size();
  return total;
}

Response make_response(int status, std::string_view content_type, Slice body) {
  Response response;
  response.status = status;
  response.headers.emplace_back("content-type", content_type);
  if (!body.empty()) response.body.push_back(std::move(body));
  return response;
}

std::string_view dialect_name(Dialect dialect) noexcept {
  switch (dialect) {
    case Dialect::kDefault: return "default";
    case Dialect::kAdmin: return "admin";
    case Dialect::kTensorflowServing: return "tfserving";
  }
  return "unknown";
}

std::optional<Dialect> parse_dialect(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kDialectCount; ++i) {
    const auto dialect = static_cast<Dialect>(i);
    if (dialect_name(dialect) == name) return dialect;
  }
  return std::nullopt;
}

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

std::optional<std::string> decode_segment(std::string_view segment) {
  std::string out;
  const bool plain =
      std::none_of(segment.begin(), segment.end(), [](char c) { return c == '%' || c == '/' || c == 0; });
  if (plain && !segment.empty() && segment.front() != '.') {
    out = segment;
    return out;
  }
  out.reserve(segment.size());
  for (std::size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '%') {
      if (segment.size() - i < 3) return std::nullopt;
      const int high = hex_digit(segment[i + 1]);
      const int low = hex_digit(segment[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '/' || c == '\0') return std::nullopt;
    out += c;
  }
  if (out.empty() || out == "." || out == "..") return std::nullopt;
  return out;
}

}  // namespace protean
