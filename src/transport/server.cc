// SPDX-License-Identifier: Apache-2.0
// Order is all there is here: listen before threads, stop accepting before draining, drain before closing.
#include "transport/server.h"

#include "base/check.h"
#include "base/log.h"
#include "transport/acceptor.h"
#include "transport/connection_count.h"
#include "transport/io_loop.h"

namespace protean {

std::string BoundAddress::url() const {
  const bool v6 = host.find(':') != std::string::npos;
  return std::string(tls ? "https://" : "http://") + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

TransportServer::TransportServer(Options options)
    : context_(options.context),
      listeners_(std::move(options.listeners)),
      count_(std::make_unique<ConnectionCount>(context_.limits.connections_max)) {
  for (std::size_t i = 0; i < options.io_threads; ++i) {
    loops_.push_back(std::make_unique<IoLoop>(context_, *count_, "io-" + std::to_string(i)));
  }
  acceptor_ = std::make_unique<Acceptor>(context_, *count_, loops_);
}

TransportServer::~TransportServer() { stop(); }

Result<std::unique_ptr<TransportServer>> TransportServer::make(Options options) {
  PROTEAN_CHECK(options.context.handler != nullptr && options.context.memory != nullptr);
  PROTEAN_CHECK(options.context.metrics != nullptr);
  if (options.listeners.empty()) return fail(Code::kInvalidArgument, "no address to listen on");
  if (options.io_threads == 0) return fail(Code::kInvalidArgument, "0 I/O threads, expected at least 1");
  std::unique_ptr<TransportServer> server(new TransportServer(std::move(options)));
  for (const auto& listener : server->listeners_) {
    auto listening = server->listen(listener);
    if (listening) continue;
    if (!listener.optional) return tl::unexpected(std::move(listening).error());
    log::warning("a listener is left out", {{"reason", listening.error().message}});
  }
  return server;
}

Status TransportServer::listen(const ListenerOptions& listener) {
  std::shared_ptr<TlsContext> tls;
  if (listener.tls) {
    TRY(tls, TlsContext::make(*listener.tls));
  }
  TRY(const auto endpoint, acceptor_->listen(listener, tls));
  bound_.push_back({endpoint.address().to_string(), endpoint.port(), tls != nullptr, listener.dialect});
  return {};
}

void TransportServer::start() {
  for (auto& loop : loops_) loop->start();
  acceptor_->start();
}

bool TransportServer::drain(TimePoint deadline) {
  acceptor_->stop();
  for (auto& loop : loops_) loop->drain();
  const bool finished = count_->wait_for_none(deadline);
  stop();
  return finished;
}

void TransportServer::stop() {
  acceptor_->stop();
  for (auto& loop : loops_) loop->stop();
}

}  // namespace protean
