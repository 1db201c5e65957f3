// SPDX-License-Identifier: Apache-2.0
// Translates options for the server, prints the start-up card, and waits for the signal to stop.
#include "cli/serve.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "cli/options.h"
#include "cli/server_options.h"
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
