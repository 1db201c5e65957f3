// SPDX-License-Identifier: Apache-2.0
// Who owns whom: members of Parts are destroyed from the last to the first, users before what they use.
#include "server/server.h"

#include <future>
#include <utility>

#include "configuration/model_config_file.h"
#include "core/memory_budget.h"
#include "monitoring/process_metrics.h"
#include "protocols/open_inference/json_request.h"
#include "server/control.h"
#include "server/readiness.h"
#include "server/request_path.h"
#include "transport/transport_metrics.h"

namespace protean {
namespace {

std::vector<Backend*> pointers(const std::vector<std::unique_ptr<Backend>>& backends) {
  std::vector<Backend*> all;
  for (const auto& backend : backends) all.push_back(backend.get());
  return all;
}

/// What a model's own file says, or the override for all of them.
ConfigReader config_reader(const ServerOptions& options) {
  if (options.model_config_override) {
    return [config = *options.model_config_override](const auto&, std::string_view) { return config; };
  }
  ModelConfig defaults;
  defaults.residency.on_demand = options.on_demand;
  return [defaults, filter = options.model_config_filter](const std::filesystem::path& files,
                                                          std::string_view model) -> Result<ModelConfig> {
    TRY(ModelConfig config, read_model_config(files, model, defaults));
    return filter ? filter(files, std::move(config)) : config;
  };
}

/// Requests recorded beside a model are written as clients write them.
RequestDecoder request_decoder(const ProtocolOptions& options) {
  RequestLimits limits;
  limits.json_depth_max = options.json_depth_max;
  return [limits](const Slice& json) { return decode_json_infer(json, std::nullopt, limits); };
}

ControlOptions control_options(const ServerOptions& options) {
  return {{"protean", PROTEAN_VERSION, {"binary_tensor_data", "model_repository", "parameters"}},
          options.model_control};
}

}  // namespace

struct Server::Parts {
  Parts(ServerOptions given, std::vector<std::unique_ptr<Backend>> made, std::unique_ptr<Store> opened)
      : options(std::move(given)),
        backends(std::move(made)),
        store(std::move(opened)),
        transport_metrics(registry),
        memory(options.request_memory_bytes_max),
        protocols(make_builtin_protocols(options.protocols, registry)),
        repository(options.repository, {pointers(backends),
                                        registry,
                                        store.get(),
                                        config_reader(options),
                                        request_decoder(options.protocols),
                                        {},
                                        &Clock::system(),
                                        protocols.recordings}),
        control(control_options(options), repository, readiness),
        access_log(options.access_log),
        scheduler(options.scheduler),
        path({repository, scheduler, control, readiness, access_log, registry}, std::move(protocols.sets)) {
    add_process_metrics(registry);
  }

  const ServerOptions options;
  metrics::Registry registry;
  const std::vector<std::unique_ptr<Backend>> backends;
  const std::unique_ptr<Store> store;
  TransportMetrics transport_metrics;
  MemoryBudget memory;
  BuiltinProtocols protocols;  // their sets move on to the path
  Readiness readiness;
  Repository repository;
  Control control;
  const AccessLog access_log;
  Scheduler scheduler;
  RequestPath path;
  std::unique_ptr<TransportServer> transport;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() {
  if (parts_->transport) parts_->transport->stop();
  parts_->scheduler.stop();
  parts_->repository.stop();
}

Result<std::unique_ptr<Server>> Server::make(ServerOptions options) {
  TRY(auto backends, make_builtin_backends(options.backends));
  TRY(auto store, open_state(options.state));
  return std::unique_ptr<Server>(
      new Server(std::make_unique<Parts>(std::move(options), std::move(backends), std::move(store))));
}

Status Server::start() {
  TRY_STATUS(listen());
  return load();
}

Status Server::load() {
  TRY_STATUS(parts_->repository.start());
  parts_->readiness.set(true);
  return {};
}

Status Server::replace_models(std::vector<ModelEntry> models, std::string actor) {
  std::promise<Status> done;
  parts_->repository.replace_models({std::move(models), std::move(actor)},
                                    [&done](Status status) { done.set_value(std::move(status)); });
  return done.get_future().get();
}

Status Server::listen() {
  TransportServer::Options transport;
  transport.listeners = parts_->options.listeners;
  transport.io_threads = parts_->options.io_threads;
  transport.context.handler = &parts_->path;
  transport.context.limits = parts_->options.limits;
  transport.context.memory = &parts_->memory;
  transport.context.metrics = &parts_->transport_metrics;
  TRY(parts_->transport, TransportServer::make(std::move(transport)));
  parts_->transport->start();
  return {};
}

void Server::drain(std::chrono::milliseconds timeout) {
  parts_->readiness.set(false);
  parts_->path.drain();
  if (parts_->transport) parts_->transport->drain(Clock::system().now() + timeout);
}

std::vector<std::string> Server::urls(Dialect dialect) const {
  std::vector<std::string> urls;
  for (const auto& address : parts_->transport->bound_addresses()) {
    if (address.dialect == dialect) urls.push_back(address.url());
  }
  return urls;
}

std::vector<VersionStatus> Server::models() const { return parts_->repository.statuses(); }

std::vector<IgnoredPath> Server::ignored() const { return parts_->repository.ignored(); }

std::vector<std::string> Server::backends() const {
  std::vector<std::string> lines;
  for (const auto& backend : parts_->backends) lines.push_back(backend->description());
  return lines;
}

}  // namespace protean
