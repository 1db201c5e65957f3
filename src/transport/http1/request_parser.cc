// SPDX-License-Identifier: Apache-2.0
// Sizes are counted here and not by Beast, whose limit starts anew with each call: a head that dribbles in must not
// get more than one that comes at once.
#include "transport/http1/request_parser.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>

#include "base/text.h"

namespace protean {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t kFieldsExpected = 16;
constexpr std::size_t kHeadBytesExpected = 1024;
constexpr std::size_t kLastChunkBytes = std::string_view("0\r\n\r\n").size();

constexpr std::array<bool, 256> kHostChars = [] {
  std::array<bool, 256> known{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]_%~")) {
    known[static_cast<unsigned char>(c)] = true;
  }
  return known;
}();

bool is_host_char(char c) noexcept { return kHostChars[static_cast<unsigned char>(c)]; }

/// The authority of `http://host/path`, taken off the front of `target`; nullopt for other forms.
std::optional<std::string_view> take_authority(std::string_view& target) noexcept {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (!equals_ignore_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    target = rest.substr(end);
    return rest.substr(0, end);
  }
  return std::nullopt;
}

/// Whether a request line's third word is not `HTTP/` something, however spelled: another protocol's first line, such
/// as a broken HTTP/2 preface (RFC 9113 3.4 wants the connection ended).
bool names_other_protocol(std::span<const std::byte> bytes) noexcept {
  std::string_view line(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  line = line.substr(0, line.find_first_of("\r\n"));
  for (int word = 0; word < 2; ++word) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return false;
    line.remove_prefix(space + 1);
  }
  constexpr std::string_view kName = "HTTP/";
  return !equals_ignore_case(line.substr(0, kName.size()), kName);
}

}  // namespace

RequestParser::RequestParser(const Limits& limits, ChunkSink& sink, bool is_tls)
    : limits_(limits), sink_(sink), is_tls_(is_tls) {
  body_limit(boost::none);
  header_limit(std::numeric_limits<std::uint32_t>::max());
}

std::size_t RequestParser::put(std::span<const std::byte> bytes) {
  if (in_head_ && framing_bytes_ == 0) {
    head_.headers.reserve(kFieldsExpected, std::min(bytes.size(), kHeadBytesExpected));
  }
  std::size_t consumed = 0;
  while (consumed < bytes.size() && !is_done() && !refusal_) {
    error_code error;
    const auto rest = bytes.subspan(consumed);
    // No chunked body ends in fewer bytes, and Beast asserts as much when a lone last chunk dribbles in.
    if (!in_head_ && rest.size() < kLastChunkBytes) break;
    const std::size_t count = basic_parser::put(boost::asio::const_buffer(rest.data(), rest.size()), error);
    consumed += count;
    if (in_head_) framing_bytes_ += count;
    if (error == http::error::need_more) {
      check_framing(bytes.subspan(consumed));
      break;
    }
    if (error) {
      refuse_grammar(error, rest);
      break;
    }
    // Beast takes a trailer as a whole; the pieces of the body are no framing.
    check_framing(!in_head_ && is_done() ? rest.first(count) : rest.first(0));
    if (in_head_ && is_header_done()) {
      in_head_ = false;
      framing_bytes_ = 0;
      break;
    }
    if (count == 0) break;
  }
  return consumed;
}

void RequestParser::check_framing(std::span<const std::byte> unfinished) {
  if (framing_bytes_ + unfinished.size() <= limits_.header_bytes_max || refusal_) return;
  const std::string limit = std::to_string(limits_.header_bytes_max) + " bytes (header-bytes-max)";
  if (!in_head_) {
    refusal_ = {431, "chunk extension or trailer: more than " + limit, "head_too_large"};
  } else if (framing_bytes_ == 0 &&
             std::find(unfinished.begin(), unfinished.end(), std::byte{'\n'}) == unfinished.end()) {
    refusal_ = {414, "request line: more than " + limit, "head_too_large"};
  } else {
    refusal_ = {431, "request header: more than " + limit, "head_too_large"};
  }
}

void RequestParser::refuse_grammar(const error_code& error, std::span<const std::byte> line) {
  if (refusal_) return;
  if (error == http::error::bad_version && names_other_protocol(line)) {
    refusal_ = {Refusal::kNoAnswer, {}, "not_http"};
    return;
  }
  refusal_ = {400, "malformed HTTP/1.1 request: " + error.message(), "malformed"};
}

void RequestParser::refuse(Refusal refusal, error_code& error) {
  if (!refusal_) refusal_ = std::move(refusal);
  error = http::error::bad_value;
}

void RequestParser::on_request_impl(http::verb verb, string_view method, string_view target, int version,
                                    error_code& error) {
  if (method.size() + target.size() > limits_.header_bytes_max) {
    return refuse(
        {414, "request line: more than " + std::to_string(limits_.header_bytes_max) + " bytes (header-bytes-max)",
         "head_too_large"},
        error);
  }
  head_.method.assign(method.data(), method.size());
  version_ = version;
  is_head_request_ = verb == http::verb::head;
  set_target({target.data(), target.size()}, error);
}

void RequestParser::set_target(std::string_view target, error_code& error) {
  if (const auto authority = take_authority(target)) {
    target_names_host_ = true;
    set_host(*authority, error);
    if (error) return;
  } else if (!target.starts_with('/') && !(target == "*" && head_.method == "OPTIONS")) {
    return refuse({400, "request target '" + printable(target) + "': expected /path or http://host/path"}, error);
  }
  const std::size_t query_at = target.find('?');
  head_.path.assign(target.substr(0, query_at));
  if (head_.path.empty()) head_.path = "/";
  if (query_at != std::string_view::npos) head_.query.assign(target.substr(query_at + 1));
}

void RequestParser::set_host(std::string_view host, error_code& error) {
  if (!std::all_of(host.begin(), host.end(), is_host_char)) {
    return refuse({400, "host '" + printable(host) + "': expected name or address and port"}, error);
  }
  if (host.empty()) return;
  const std::string_view scheme = is_tls_ ? "https://" : "http://";
  head_.scheme_host.reserve(scheme.size() + host.size());
  head_.scheme_host.append(scheme).append(host);
}

void RequestParser::on_field_impl(http::field field, string_view name, string_view value, error_code& error) {
  if (!in_head_) return;  // a trailer: bounded, and nobody reads it
  const std::string_view text(value.data(), value.size());
  switch (field) {
    case http::field::host:
      if (std::exchange(has_host_, true)) return refuse({400, "two host fields, expected one"}, error);
      // A target that names the host overrides the field (RFC 9112 3.2.2).
      if (!target_names_host_) set_host(text, error);
      break;
    case http::field::transfer_encoding:
      if (!equals_ignore_case(text, "chunked")) {
        return refuse({501, "transfer-encoding '" + printable(text) + "': expected chunked", "unsupported"}, error);
      }
      break;
    case http::field::expect:
      if (!equals_ignore_case(text, "100-continue")) {
        return refuse({417, "expect '" + printable(text) + "': expected 100-continue", "unsupported"}, error);
      }
      expects_continue_ = true;
      break;
    default: break;
  }
  head_.headers.add({name.data(), name.size()}, text);
}

void RequestParser::on_header_impl(error_code& error) {
  if (version_ == 11 && !has_host_) return refuse({400, "no host field, HTTP/1.1 expects one"}, error);
  if (version_ == 10 && chunked()) return refuse({400, "transfer-encoding in an HTTP/1.0 request"}, error);
  if (version_ == 10) expects_continue_ = false;
}

void RequestParser::on_chunk_header_impl(std::uint64_t size, string_view extension, error_code& error) {
  if (extension.size() > limits_.header_bytes_max) {
    return refuse(
        {431, "chunk extension: more than " + std::to_string(limits_.header_bytes_max) + " bytes (header-bytes-max)",
         "head_too_large"},
        error);
  }
  if (auto refusal = sink_.on_chunk_size(size)) refuse(*std::move(refusal), error);
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t /*rest*/, string_view body, error_code& error) {
  if (auto refusal = sink_.on_chunk_bytes({body.data(), body.size()})) refuse(*std::move(refusal), error);
  return body.size();
}

}  // namespace protean
