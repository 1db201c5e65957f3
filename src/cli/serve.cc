// SPDX-License-Identifier: Apache-2.0
// Translates options for the server, prints the start-up card, and waits for the signal to stop.
#include "cli/serve.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "cli/options.h"
#include "cli/start_up_card.h"
#include "cli/stop_signals.h"
#include "server/server.h"

namespace protean {
namespace {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int complain(const Error& error, int status) {
  std::fprintf(stderr, "protean: %s\n", error.message.c_str());
  return status;
}

std::vector<ListenerOptions> listeners(const ServeOptions& options) {
  std::vector<ListenerOptions> all;
  for (const auto& address : options.listen) {
    ListenerOptions listener;
    listener.host = address.host;
    listener.port = address.port;
    listener.dialect = parse_dialect(address.dialect).value_or(Dialect::kDefault);
    listener.optional = listener.dialect == Dialect::kAdmin && !options.listen_said;
    if (!options.tls_cert.empty()) listener.tls = TlsFiles{options.tls_cert.string(), options.tls_key.string()};
    all.push_back(std::move(listener));
  }
  return all;
}

StateOptions state_options(const ServeOptions& options) {
  if (options.state == "none") return {};
  if (!options.state.empty()) return {options.state, true};
  return {options.models / ".protean", false};
}

ServerOptions server_options(const ServeOptions& options) {
  ServerOptions server;
  server.repository.folder = options.models;
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
  server.listeners = listeners(options);
  server.limits = options.limits;
  server.io_threads = options.io_threads;
  server.request_memory_bytes_max = options.request_memory_max;
  server.access_log = options.access_log;
  server.model_control = options.model_control;
  return server;
}

StartUpCard card_of(const Server& server) {
  StartUpCard card;
  card.models = server.models();
  for (auto& path : server.ignored()) card.ignored.emplace_back(std::move(path.path), std::move(path.reason));
  card.urls = server.urls(Dialect::kDefault);
  card.admin_urls = server.urls(Dialect::kAdmin);
  card.backends = server.backends();
  return card;
}

int serve(const ServeOptions& options) {
  log::configure(options.log_level, options.log_format);
  StopSignals signals;
  auto server = Server::make(server_options(options));
  if (!server) return complain(server.error(), 1);
  if (auto started = (*server)->start(); !started) return complain(started.error(), 1);
  print(format_start_up_card(card_of(**server), terminal_of(STDOUT_FILENO)));
  signals.wait();
  (*server)->drain(options.drain_timeout);
  server->reset();
  log::info("stopped");
  return 0;
}

}  // namespace

int run_serve(std::span<const std::string> args) {
  auto options = parse_serve_options(args, process_environment());
  if (!options) return complain(options.error(), 2);
  switch (options->action) {
    case ServeAction::kHelp: print(serve_help()); return 0;
    case ServeAction::kVersion: print("protean " PROTEAN_VERSION "\n"); return 0;
    case ServeAction::kPrintConfig: print(format_config(*options)); return 0;
    case ServeAction::kServe: break;
  }
  const int status = serve(*options);
  log::flush_and_stop();
  return status;
}

}  // namespace protean
