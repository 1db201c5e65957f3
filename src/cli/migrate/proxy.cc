// SPDX-License-Identifier: Apache-2.0
// Who owns whom: members of Parts are destroyed from the last to the first, users before what they use.
#include "cli/migrate/proxy.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"
#include "cli/migrate/upstream_pool.h"
#include "core/memory_budget.h"
#include "migrate/mirror.h"
#include "migrate/relay.h"
#include "transport/content_coding.h"
#include "transport/server.h"
#include "transport/transport_metrics.h"

namespace protean {
namespace {

/// How long the mirror may take to catch up once nobody is answered any more.
constexpr Duration kMirrorDrain = std::chrono::seconds(10);
/// Of a coded answer, for comparing.
constexpr std::size_t kDecodedBytesMax = std::size_t{256} << 20;

Result<std::optional<UpstreamTarget>> resolve(const std::optional<UpstreamAddress>& address) {
  if (!address) return std::optional<UpstreamTarget>();
  TRY(auto target, resolve_target(address->host, address->port));
  return UpstreamTarget{std::move(target), address->authority};
}

Result<UpstreamPoolOptions> pool_options(const MigrateOptions& options, const SideUrls& side) {
  UpstreamPoolOptions pool;
  TRY(pool.http, resolve(side.http));
  TRY(pool.grpc, resolve(side.grpc));
  pool.threads = options.threads;
  pool.connections_max = options.connections;
  return pool;
}

/// The mirror has threads and connections of its own: what it does must not stand in a client's way.
UpstreamPoolOptions mirror_options(UpstreamPoolOptions pool) {
  pool.threads = 1;
  return pool;
}

UpstreamPoolOptions charged_to(UpstreamPoolOptions pool, MemoryBudget& memory) {
  pool.memory = &memory;
  return pool;
}

Result<Slice> undo_coding(std::string_view name, const Slice& body) {
  TRY(const auto coding, parse_content_encoding(name));
  return coding ? decode_body(*coding, body, kDecodedBytesMax) : body;
}

ListenerOptions listener(const ListenAddress& address, Dialect dialect) {
  ListenerOptions options;
  options.host = address.host;
  options.port = address.port;
  options.dialect = dialect;
  return options;
}

}  // namespace

struct MigrationProxy::Parts {
  Parts(const MigrateOptions& options, const UpstreamPoolOptions& from, const UpstreamPoolOptions& to)
      : memory((options.memory_mib_max << 20) / 2),
        answers((options.memory_mib_max << 20) / 2),
        metrics(registry),
        migration(options.migration, migrate::make_dialect(options.dialect), undo_coding),
        from_pool(charged_to(from, answers)),
        to_pool(charged_to(to, answers)),
        mirror_from(charged_to(mirror_options(from), answers)),
        mirror_to(charged_to(mirror_options(to), answers)),
        mirror(migration, {&mirror_from, &mirror_to}),
        relay(migration, {&from_pool, &to_pool}, mirror) {}
  ~Parts() { stop(); }

  void stop() {
    if (transport) transport->stop();
    from_pool.stop();
    to_pool.stop();
    mirror_from.stop();
    mirror_to.stop();
  }

  metrics::Registry registry;
  MemoryBudget memory;   // requests
  MemoryBudget answers;  // of both sides
  TransportMetrics metrics;
  migrate::Migration migration;
  UpstreamPool from_pool;
  UpstreamPool to_pool;
  UpstreamPool mirror_from;
  UpstreamPool mirror_to;
  migrate::Mirror mirror;
  migrate::Relay relay;
  std::unique_ptr<TransportServer> transport;
};

MigrationProxy::MigrationProxy(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

MigrationProxy::~MigrationProxy() = default;

Result<std::unique_ptr<MigrationProxy>> MigrationProxy::start(const MigrateOptions& options) {
  TRY(const auto from, pool_options(options, options.from));
  TRY(const auto to, pool_options(options, options.to));
  auto parts = std::make_unique<Parts>(options, from, to);
  TransportServer::Options transport;
  for (const auto& address : options.listen) {
    transport.listeners.push_back(listener(address, Dialect::kDefault));
    if (options.tls_cert.empty()) continue;
    transport.listeners.back().tls = TlsFiles{options.tls_cert.string(), options.tls_key.string()};
  }
  if (options.control) transport.listeners.push_back(listener(*options.control, Dialect::kAdmin));
  transport.io_threads = options.threads;
  transport.context.handler = &parts->relay;
  transport.context.memory = &parts->memory;
  transport.context.metrics = &parts->metrics;
  transport.context.keeps_coding = true;
  transport.context.limits.body_bytes_max = std::min<std::size_t>(parts->memory.bytes_max(), std::size_t{1} << 30);
  TRY(parts->transport, TransportServer::make(std::move(transport)));
  parts->transport->start();
  return std::unique_ptr<MigrationProxy>(new MigrationProxy(std::move(parts)));
}

void MigrationProxy::drain(Duration timeout) {
  parts_->transport->drain(Clock::system().now() + timeout);
  parts_->mirror.drain(Clock::system().now() + kMirrorDrain);
  parts_->stop();
}

migrate::Migration& MigrationProxy::migration() noexcept { return parts_->migration; }

std::vector<std::string> MigrationProxy::urls() const {
  std::vector<std::string> urls;
  for (const auto& bound : parts_->transport->bound_addresses()) {
    if (bound.dialect == Dialect::kDefault) urls.push_back(bound.url());
  }
  return urls;
}

std::string MigrationProxy::control_url() const {
  for (const auto& bound : parts_->transport->bound_addresses()) {
    if (bound.dialect == Dialect::kAdmin) return bound.url();
  }
  return {};
}

}  // namespace protean
