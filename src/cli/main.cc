// SPDX-License-Identifier: Apache-2.0
// The program: picks the command.
#include <google/protobuf/stubs/logging.h>

#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/bench/bench.h"
#include "cli/migrate/migrate.h"
#include "cli/serve.h"
#include "cli/tensorflow_serving/import.h"
#include "cli/tensorflow_serving/model_server.h"
#include "cli/tune/tune.h"

namespace {

constexpr char kHelp[] =
    "protean " PROTEAN_VERSION
    " - a model server\n\n"
    "  protean serve FOLDER     serve every model in FOLDER on http://127.0.0.1:8080\n"
    "  protean bench MODEL      load a model and show throughput and latencies\n"
    "  protean tune PATH        find the best batch size and threads for an objective\n"
    "  protean tensorflow_model_server --model_name=NAME --model_base_path=FOLDER\n"
    "                           stand in for that program: its flags, files, ports and answers\n"
    "  protean import tfserving --out FOLDER --model_config_file=FILE\n"
    "                           its flags and files as a configuration of ours\n"
    "  protean migrate          prove that a new server answers like the old one, then move traffic\n"
    "  protean COMMAND --help   all options, with examples\n"
    "  protean --version        print the version\n";

int unknown_command(const std::string& command) {
  const std::vector<std::string> commands = {
      "serve", "bench", "tune", "tensorflow_model_server", "import", "migrate", "help", "--help", "--version"};
  const auto nearest = protean::nearest_name(command, commands);
  std::fprintf(stderr, "protean: unknown command '%s'%s\n", protean::printable(command).c_str(),
               nearest ? ("; did you mean '" + *nearest + "'?").c_str() : "; see protean --help");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  // What it has to say about a message is in our answer; a client must not write to the log.
  google::protobuf::SetLogHandler(nullptr);
  const std::vector<std::string> args(argv + 1, argv + argc);
  const std::string command = args.empty() ? "--help" : args.front();
  if (command == "serve") return protean::run_serve(std::span(args).subspan(1));
  if (command == "bench") return protean::run_bench(std::span(args).subspan(1));
  if (command == "tensorflow_model_server") return protean::run_model_server(std::span(args).subspan(1));
  if (command == "import") return protean::run_import(std::span(args).subspan(1));
  if (command == "tune") return protean::run_tune(std::span(args).subspan(1));
  if (command == "migrate") return protean::run_migrate(std::span(args).subspan(1));
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(kHelp, args.empty() ? stderr : stdout);
    return args.empty() ? 2 : 0;
  }
  if (command == "--version" || command == "version") {
    std::puts("protean " PROTEAN_VERSION);
    return 0;
  }
  return unknown_command(command);
}
