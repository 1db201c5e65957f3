// SPDX-License-Identifier: Apache-2.0
// A listener's certificate and key, exchanged while the server runs when their files change.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/locked.h"
#include "base/result.h"
#include "transport/tls/tls_stream.h"

struct ssl_ctx_st;

namespace protean {

/// PEM files: the certificate with its chain, leaf first, and its private key.
/// `client_ca`: certificates of those who sign clients' certificates, which every client then has to show; empty: no
/// client is asked for one.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string client_ca = {};
};

/// Thread-safe.
class TlsContext {
 public:
  /// Errors: kNotFound or kInvalidArgument with the file and the reason.
  [[nodiscard]] static Result<std::shared_ptr<TlsContext>> make(TlsFiles files);

  /// The server's end of a new connection, with the newest certificate; nullptr when memory is gone.
  [[nodiscard]] std::unique_ptr<TlsStream> accept(int descriptor) const;

  /// Loads the files again if one of them was replaced or written since the last look; a bad new pair is
  /// logged and the old one kept.  Touches the disk: not for I/O threads.  True when the pair was exchanged.
  bool reload_if_changed();

 private:
  using Handle = std::shared_ptr<ssl_ctx_st>;
  /// What tells one state of the files from another.
  struct Stamp {
    std::array<std::int64_t, 12> facts{};
    bool operator==(const Stamp&) const = default;
  };
  TlsContext(TlsFiles files, Handle handle, Stamp stamp);
  static Result<Handle> load(const TlsFiles& files);
  static Stamp stamp(const TlsFiles& files);

  const TlsFiles files_;
  Locked<Handle> handle_;
  Locked<Stamp> stamp_;
};

}  // namespace protean
