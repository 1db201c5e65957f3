// SPDX-License-Identifier: Apache-2.0
// Option by option; what has no line here has no effect.
#include "cli/server_options.h"

namespace protean {
namespace {

std::vector<ListenerOptions> listeners(const ServeOptions& options) {
  std::vector<ListenerOptions> all;
  for (const auto& address : options.listen) {
    ListenerOptions listener;
    listener.host = address.host;
    listener.port = address.port;
    listener.dialect = parse_dialect(address.dialect).value_or(Dialect::kDefault);
    listener.optional = listener.dialect == Dialect::kAdmin && !options.listen_said;
    if (!options.tls_cert.empty()) {
      listener.tls = TlsFiles{options.tls_cert.string(), options.tls_key.string(), options.tls_client_ca.string()};
    }
    all.push_back(std::move(listener));
  }
  return all;
}

StateOptions state_options(const ServeOptions& options) {
  if (options.state == "none" || (options.state.empty() && options.models.empty())) return {};
  if (!options.state.empty()) return {options.state, true};
  return {options.models / ".protean", false};
}

}  // namespace

ServerOptions server_options(const ServeOptions& options) {
  ServerOptions server;
  server.repository.folder = options.models;
  server.repository.entries = options.served;
  server.repository.watch = options.watch;
  server.repository.poll_interval = options.poll_interval;
  server.repository.memory_budget = options.model_memory_max;
  server.repository.loaders = options.load_threads;
  server.on_demand = options.on_demand;
  server.state = state_options(options);
  server.scheduler.threads = options.run_threads;
  server.scheduler.queue_max = static_cast<std::uint32_t>(options.queue_max);
  server.backends.onnxruntime_library = options.onnxruntime_library.string();
  server.backends.tensorflow_library = options.tensorflow_library.string();
  server.backends.tensorflow_lite_library = options.tensorflow_lite_library.string();
  if (options.cache != "none") server.backends.cache_folder = options.cache.string();
  server.backends.cache_bytes_max = options.cache_bytes_max;
  server.repository.run_threads = static_cast<std::uint32_t>(options.run_threads);
  server.repository.intra_op_threads = static_cast<std::uint32_t>(options.intra_op_threads);
  server.backends.python = default_python_environment(options);
  server.backends.python_environments = options.python_environments;
  server.backends.python_unpickle = options.python_unpickle;
  server.backends.models = options.models;
  server.backends.intra_op_threads = static_cast<int>(options.intra_op_threads);
  // Where threads are chosen for each model, those that are worth them share one pool.
  if (options.intra_op_threads == 0) server.backends.pool_threads = static_cast<int>(options.run_threads);
  server.protocols.json_depth_max = options.json_depth_max;
  server.protocols.tensorflow_serving = options.tfserving;
  server.listeners = listeners(options);
  server.limits = options.limits;
  server.io_threads = options.io_threads;
  server.request_memory_bytes_max = options.request_memory_max;
  server.access_log = options.access_log;
  server.model_control = options.model_control;
  return server;
}

}  // namespace protean
