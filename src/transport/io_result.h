// SPDX-License-Identifier: Apache-2.0
// What one non-blocking read or write came to, whether the socket is plain or under TLS.
#pragma once

#include <cstddef>

namespace protean {

/// kMoved: `count` > 0 bytes; kWouldBlock: try again when the socket is ready; kEnd: the peer sent its last
/// byte (reads only); kFailed: the connection is of no more use.
/// `drained` (reads only): the socket holds nothing more for now.  Source: epoll(7), a read that comes back short.
struct IoResult {
  enum class Kind : unsigned char { kMoved, kWouldBlock, kEnd, kFailed };
  Kind kind = Kind::kFailed;
  std::size_t count = 0;
  bool drained = false;
};

}  // namespace protean
