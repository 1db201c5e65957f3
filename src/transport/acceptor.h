// SPDX-License-Identifier: Apache-2.0
// The listening sockets, on a thread of their own: every new connection goes to the loop that has the fewest.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "transport/io_loop.h"
#include "transport/tls/tls_context.h"

namespace protean {

struct ListenerOptions;

/// Made, started and stopped by the server's thread.
class Acceptor {
 public:
  /// `loops`, `count` and `context` outlive the acceptor.
  Acceptor(const TransportContext& context, ConnectionCount& count, std::vector<std::unique_ptr<IoLoop>>& loops);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// Binds and listens; connections wait in the kernel until start().  Port 0: the kernel chooses.
  /// Errors: kInvalidArgument (no such host), kAlreadyExists (port in use), kPermissionDenied, kUnavailable.
  [[nodiscard]] Result<boost::asio::ip::tcp::endpoint> listen(const ListenerOptions& options,
                                                              std::shared_ptr<TlsContext> tls);
  void start();
  /// Closes the listening sockets and joins the thread.  Again: no effect.
  void stop();

 private:
  struct Listener {
    boost::asio::ip::tcp::acceptor socket;
    std::shared_ptr<TlsContext> tls;
    boost::asio::steady_timer backoff;
    Dialect dialect = Dialect::kDefault;
  };
  void wait(Listener& listener);
  void accept_all(Listener& listener);
  void back_off(Listener& listener, int error);
  void hand_over(const Listener& listener, int descriptor, std::string peer);
  void watch_certificates();

  const TransportContext& context_;
  ConnectionCount& count_;
  std::vector<std::unique_ptr<IoLoop>>& loops_;
  std::size_t next_loop_ = 0;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer certificate_timer_{io_};
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace protean
