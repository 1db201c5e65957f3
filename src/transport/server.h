// SPDX-License-Identifier: Apache-2.0
// The front door as a whole: listeners, I/O threads and how they start, drain and stop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "transport/session.h"
#include "transport/tls/tls_context.h"

namespace protean {

class Acceptor;
class ConnectionCount;
class IoLoop;

/// `host`: an address or a name; `port` 0 lets the kernel choose.
/// `optional`: when it cannot be had, a warning is all.
struct ListenerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::optional<TlsFiles> tls;
  Dialect dialect = Dialect::kDefault;
  bool optional = false;
};

/// `host` is numeric.
struct BoundAddress {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;
  Dialect dialect = Dialect::kDefault;
  /// `https://127.0.0.1:8443`.
  [[nodiscard]] std::string url() const;
};

/// Made, started and stopped by one thread.  Its handler is called on its I/O threads.
class TransportServer {
 public:
  /// `context`: handler, memory and metrics must be set and outlive the server.
  struct Options {
    std::vector<ListenerOptions> listeners;
    std::size_t io_threads = 1;
    TransportContext context;
  };

  /// Binds all listeners; clients can connect but are not served before start().
  /// Errors: those of Acceptor::listen() and TlsContext::make(); kInvalidArgument for no listeners or threads.
  [[nodiscard]] static Result<std::unique_ptr<TransportServer>> make(Options options);
  /// As stop().
  ~TransportServer();

  /// In the order of Options::listeners, with the ports that were chosen.
  [[nodiscard]] const std::vector<BoundAddress>& bound_addresses() const noexcept { return bound_; }
  void start();
  /// Stops listening, closes idle connections, lets requests in flight finish until `deadline` (steady clock), then
  /// closes what is left and stops.  True when nothing had to be cut off.
  bool drain(TimePoint deadline);
  /// Closes everything now and joins the threads.  Again: no effect.
  void stop();

 private:
  explicit TransportServer(Options options);
  Status listen(const ListenerOptions& listener);

  const TransportContext context_;
  const std::vector<ListenerOptions> listeners_;
  std::unique_ptr<ConnectionCount> count_;
  std::vector<std::unique_ptr<IoLoop>> loops_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<BoundAddress> bound_;
};

}  // namespace protean
