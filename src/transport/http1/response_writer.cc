// SPDX-License-Identifier: Apache-2.0
// A head is put together in one string that each thread keeps, then copied into the queue once.
#include "transport/http1/response_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "transport/http_date.h"

namespace protean {
namespace {

void append_number(std::string& out, std::uint64_t number, int base = 10) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  out.append(digits.data(), end);
}

bool is_safe(std::string_view text) noexcept {
  bool safe = true;
  for (const char c : text) safe &= c != '\r' && c != '\n' && c != '\0';
  return safe;
}

void append_status_line(std::string& out, int status) {
  if (status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
    return;
  }
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(status));
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
}

/// RFC 9110 8.6: these never have a body, nor a length.
bool has_no_body(int status) noexcept { return status < 200 || status == 204 || status == 304; }

void append_head(std::string& out, const Response& response, const ResponseFraming& framing) {
  append_status_line(out, response.status);
  if (!has_no_body(response.status)) {
    if (!framing.chunked) {
      out += "content-length: ";
      append_number(out, response.body_size());
      out += "\r\n";
    } else if (!framing.http10) {
      out += "transfer-encoding: chunked\r\n";
    }
  }
  out += "date: ";
  out += http_date_now();
  out += "\r\n";
  if (framing.closes) {
    out += "connection: close\r\n";
  } else if (framing.http10) {
    out += "connection: keep-alive\r\n";
  }
  for (const auto& [name, value] : response.headers) {
    if (!is_safe(name) || !is_safe(value)) continue;
    out.append(name).append(": ").append(value).append("\r\n");
  }
  out += "\r\n";
}

}  // namespace

void write_response(OutputQueue& output, Response& response, const ResponseFraming& framing) {
  thread_local std::string head;
  head.clear();
  append_head(head, response, framing);
  output.append_copy(head);
  if (framing.chunked || framing.head_only || has_no_body(response.status)) return;
  for (Slice& part : response.body) output.append(std::move(part));
}

void write_chunk(OutputQueue& output, Slice piece) {
  if (piece.empty()) return;
  std::string size;
  append_number(size, piece.size(), 16);
  size += "\r\n";
  output.append_copy(size);
  output.append(std::move(piece));
  output.append_copy("\r\n");
}

void write_last_chunk(OutputQueue& output) { output.append_copy("0\r\n\r\n"); }

}  // namespace protean
