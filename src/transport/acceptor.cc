// SPDX-License-Identifier: Apache-2.0
// One acceptor for all loops: SO_REUSEPORT would spread connections by hash and leave loops idle.
#include "transport/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "transport/server.h"
#include "transport/transport_metrics.h"

namespace protean {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 4096;
/// Accepted in one go before other listeners get their turn.
constexpr int kBatchMax = 64;
/// Out of descriptors or memory: trying again at once would only spin.
constexpr std::chrono::milliseconds kBackoff{100};
constexpr std::chrono::seconds kCertificateInterval{1};

std::string address_text(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

tl::unexpected<Error> listen_error(const std::string& address, const error_code& error) {
  if (error == boost::asio::error::address_in_use) {
    return fail(Code::kAlreadyExists, "cannot listen on " + address + ": the port is in use by another process");
  }
  if (error == boost::asio::error::access_denied) {
    return fail(Code::kPermissionDenied,
                "cannot listen on " + address + ": permission denied (ports below 1024 need root)");
  }
  return fail(Code::kUnavailable, "cannot listen on " + address + ": " + error.message());
}

std::string peer_text(const sockaddr_storage& address) {
  tcp::endpoint endpoint;
  const std::size_t size = address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return "unknown";
  std::memcpy(endpoint.data(), &address, size);
  endpoint.resize(size);
  return address_text(endpoint.address().to_string(), endpoint.port());
}

}  // namespace

Acceptor::Acceptor(const TransportContext& context, ConnectionCount& count, std::vector<std::unique_ptr<IoLoop>>& loops)
    : context_(context), count_(count), loops_(loops) {}

Acceptor::~Acceptor() { stop(); }

Result<tcp::endpoint> Acceptor::listen(const ListenerOptions& options, std::shared_ptr<TlsContext> tls) {
  const std::string& host = options.host;
  const std::string address = address_text(host, options.port);
  error_code error;
  tcp::resolver resolver(io_);
  const auto found = resolver.resolve(host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return fail(Code::kInvalidArgument,
                "cannot listen on " + address + ": no address for host '" + host + "': " + error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  tcp::acceptor socket(io_);
  socket.open(endpoint.protocol(), error);
  if (!error) socket.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) socket.bind(endpoint, error);
  if (!error) socket.listen(kBacklog, error);
  if (!error) socket.non_blocking(true, error);
  if (error) return listen_error(address, error);
  const tcp::endpoint bound = socket.local_endpoint(error);
  if (error) return listen_error(address, error);
  listeners_.push_back(std::unique_ptr<Listener>(
      new Listener{std::move(socket), std::move(tls), boost::asio::steady_timer(io_), options.dialect}));
  return bound;
}

void Acceptor::start() {
  PROTEAN_CHECK(!thread_.joinable() && !stopped_);
  for (auto& listener : listeners_) wait(*listener);
  for (const auto& listener : listeners_) {
    if (listener->tls != nullptr) {
      watch_certificates();
      break;
    }
  }
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "accept");
    io_.run();
  });
}

void Acceptor::stop() {
  if (std::exchange(stopped_, true)) return;
  boost::asio::post(io_, [this] {
    error_code ignored;
    for (auto& listener : listeners_) {
      // Clients that the kernel has let in already are served: closing would reset them.
      if (thread_.joinable()) accept_all(*listener);
      listener->socket.close(ignored);
      listener->backoff.cancel();
    }
    certificate_timer_.cancel();
  });
  if (thread_.joinable()) {
    thread_.join();
  } else {
    io_.run();
  }
}

void Acceptor::wait(Listener& listener) {
  listener.socket.async_wait(tcp::acceptor::wait_read, [this, &listener](const error_code& error) {
    if (!error) accept_all(listener);
  });
}

void Acceptor::accept_all(Listener& listener) {
  for (int batch = 0; batch < kBatchMax; ++batch) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    const int descriptor = ::accept4(listener.socket.native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      hand_over(listener, descriptor, peer_text(address));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return back_off(listener, errno);
    if (errno == EAGAIN) break;
    // Others concern one connection only (accept(2), "Error handling"): the client left before we took it.
  }
  wait(listener);
}

void Acceptor::back_off(Listener& listener, int error) {
  log::warning("cannot accept connections for now", {{"reason", std::strerror(error)}});
  listener.backoff.expires_after(kBackoff);
  listener.backoff.async_wait([this, &listener](const error_code& cancelled) {
    if (!cancelled) wait(listener);
  });
}

void Acceptor::hand_over(const Listener& listener, int descriptor, std::string peer) {
  if (!count_.try_add()) {
    context_.metrics->connections_refused->add();
    ::close(descriptor);
    return;
  }
  context_.metrics->connections_accepted->add();
  const int one = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  std::size_t best = next_loop_;
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    const std::size_t candidate = (next_loop_ + i) % loops_.size();
    if (loops_[candidate]->load() < loops_[best]->load()) best = candidate;
  }
  next_loop_ = (best + 1) % loops_.size();
  loops_[best]->adopt({descriptor, std::move(peer), listener.tls, listener.dialect});
}

void Acceptor::watch_certificates() {
  certificate_timer_.expires_after(kCertificateInterval);
  certificate_timer_.async_wait([this](const error_code& error) {
    if (error) return;
    for (auto& listener : listeners_) {
      if (listener->tls != nullptr) listener->tls->reload_if_changed();
    }
    watch_certificates();
  });
}

}  // namespace protean
