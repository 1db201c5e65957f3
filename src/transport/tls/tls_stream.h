// SPDX-License-Identifier: Apache-2.0
// TLS on one connected socket: OpenSSL reads the descriptor itself and its records are gathered into few sends.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "transport/io_result.h"

struct ssl_st;

namespace protean {

/// The server's end of one TLS connection. Does not own the descriptor, which must be non-blocking and outlive it.
/// Loop-thread only.
class TlsStream {
 public:
  /// Takes ownership of `ssl`, which is set up to accept.
  TlsStream(ssl_st* ssl, int descriptor);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// kMoved once the handshake is complete; kFailed when it cannot be.
  [[nodiscard]] IoResult handshake();
  /// `h2`, `http/1.1`, or empty when the client did not negotiate.
  [[nodiscard]] std::string_view protocol() const noexcept;
  [[nodiscard]] IoResult read(std::span<std::byte> into);
  /// Encrypts from the front of `vectors` and sends; `count` is what was taken over, of which wants_write()
  /// tells whether some is still to be sent by flush().
  [[nodiscard]] IoResult write(std::span<const iovec> vectors);
  /// Encrypted bytes wait for the socket to become writable.
  [[nodiscard]] bool wants_write() const noexcept { return unsent_at_ < unsent_.size(); }
  /// False when the connection failed.
  [[nodiscard]] bool flush();
  /// Bytes that read() can return wait in memory: the socket will not become readable for them.
  [[nodiscard]] bool has_pending() const noexcept;
  /// Tells the peer that no more will be sent.
  void finish();

 private:
  friend struct TlsStreamBio;
  [[nodiscard]] IoResult result(int returned);

  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };
  std::unique_ptr<ssl_st, Free> ssl_;
  int descriptor_;
  bool broken_ = false;
  bool drained_ = false;  // the last read of the socket came back short
  bool hungry_ = true;    // what is in memory, if anything, is no whole record
  std::string unsent_;    // records that OpenSSL has written and the kernel has not taken
  std::size_t unsent_at_ = 0;
};

}  // namespace protean
