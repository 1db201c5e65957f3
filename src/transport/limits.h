// SPDX-License-Identifier: Apache-2.0
// Every bound a client can run into, in one place, each with a flag of the same name (`--body-bytes-max`).
#pragma once

#include <chrono>
#include <cstddef>

namespace protean {

struct Limits {
  std::size_t body_bytes_max = std::size_t{64} << 20;    // one request body or message, also after decompression
  std::size_t header_bytes_max = std::size_t{64} << 10;  // request line and fields, or an HTTP/2 field list
  std::size_t chunks_max = 65536;                        // pieces of one chunked HTTP/1.1 body
  std::size_t connections_max = 10000;                   // open connections; more are closed at once
  std::size_t streams_max = 256;                         // concurrent streams of one HTTP/2 connection
  bool half_close_cancels = true;                        // a client that ends its side while it waits has left
  std::size_t pipeline_max = 64;                         // answers one HTTP/1.1 connection may owe
  std::size_t output_bytes_max = std::size_t{16} << 20;  // unsent bytes after which a connection stops reading
  std::chrono::milliseconds header_time_max{10'000};     // first byte to the end of the head (and TLS handshake)
  std::chrono::milliseconds body_idle_max{30'000};       // silence inside a body, or a client that does not read
  std::chrono::milliseconds idle_time_max{120'000};      // nothing in flight on a kept-alive connection
};

}  // namespace protean
