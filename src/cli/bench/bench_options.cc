// SPDX-License-Identifier: Apache-2.0
// The flags of `protean bench`, their help, and what they may not say together.
#include "cli/bench/bench_options.h"

#include <array>

#include "cli/command_flags.h"

namespace protean {
namespace {

using namespace std::chrono_literals;

constexpr std::array<FlagSpec, 19> kFlags = {{
    {"url", "URL", "the server; default http://127.0.0.1:8080"},
    {"protocol", "http|grpc", "default http"},
    {"json-bodies", "", "tensors as JSON text"},
    {"binary", "", "tensors as bytes; the default for more than 256 elements, and for gRPC"},
    {"connections", "N", "default 4"},
    {"streams", "N", "requests in flight on each connection, gRPC only; default 1"},
    {"rate", "N", "open loop: N requests a second, whatever the server does; default: closed loop"},
    {"arrivals", "constant|poisson", "of the open loop; default constant"},
    {"duration", "TIME", "what is measured; default 10s"},
    {"warm-up", "TIME", "before it, not measured; default 1s"},
    {"timeout", "TIME", "for one answer, from when the request was due; default 10s"},
    {"deadline", "TIME", "told to the server with each request, which may refuse it at once; default: none"},
    {"rows", "N", "rows in each generated request; default 1"},
    {"input", "FILE", "a recorded request (Open Inference Protocol JSON) instead of generated ones; several take turns",
     true},
    {"version", "VERSION", "a number or an alias; default: the one that answers when none is named"},
    {"threads", "N", "of the load generator; default 1"},
    {"seed", "N", "of generated inputs and Poisson arrivals; default 1"},
    {"json", "FILE", "write everything as JSON as well; - prints it instead of the table"},
    {"help", "", "print this text"},
}};

constexpr std::string_view kIntroduction =
    "Usage: protean bench MODEL [flags]\n\n"
    "Loads MODEL and shows requests and rows a second, latency percentiles, a histogram and failures.\n"
    "MODEL is the name of a model at a running server, or a model file or folder: then a server is started\n"
    "in this process, on a free port, for the time of the run. With --url it is a name in any case.\n\n";

constexpr std::string_view kExamples =
    "\nExamples:\n"
    "  protean bench iris                                          at http://127.0.0.1:8080, closed loop\n"
    "  protean bench models/digits.onnx --connections 16           a server of its own\n"
    "  protean bench iris --protocol grpc --streams 32             gRPC, 4 connections with 32 calls each\n"
    "  protean bench iris --rate 2000 --arrivals poisson           open loop: latency as users would see it\n"
    "  protean bench iris --input request.json --json result.json  a recorded request, results for a script\n\n"
    "Exit status: 0 answers were measured, 1 the server cannot be reached or every answer failed, 2 the command\n"
    "line is wrong, 130 interrupted.  docs/benchmarking.md says how to read the figures.\n";

Status read_numbers(const CommandFlags& flags, BenchOptions& options) {
  TRY_STATUS(flags.whole("connections", 1, 10'000, options.connections));
  TRY_STATUS(flags.whole("streams", 1, 10'000, options.streams));
  TRY_STATUS(flags.whole("threads", 1, 256, options.threads));
  TRY_STATUS(flags.whole("rows", 1, 1'000'000, options.rows));
  TRY_STATUS(flags.whole("seed", 0, UINT64_MAX, options.seed));
  TRY_STATUS(flags.positive("rate", options.rate));
  TRY_STATUS(flags.duration("duration", 100ms, 24h, options.duration));
  TRY_STATUS(flags.duration("warm-up", 0ms, 1h, options.warm_up));
  TRY_STATUS(flags.duration("timeout", 1ms, 1h, options.timeout));
  TRY_STATUS(flags.duration("deadline", 1ms, 1h, options.deadline));
  return {};
}

Status read_choices(const CommandFlags& flags, BenchOptions& options) {
  std::size_t protocol = 0;
  TRY_STATUS(flags.choice("protocol", "http|grpc", protocol));
  options.grpc = protocol == 1;
  std::size_t arrivals = 0;
  TRY_STATUS(flags.choice("arrivals", "constant|poisson", arrivals));
  options.arrivals = static_cast<ArrivalKind>(arrivals);
  if (flags.said("json-bodies")) options.body = BodyForm::kJson;
  if (flags.said("binary")) options.body = BodyForm::kBinary;
  return {};
}

tl::unexpected<Error> contradiction(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

Status check_together(const CommandFlags& flags, const BenchOptions& options) {
  if (flags.said("json-bodies") && flags.said("binary"))
    return contradiction("--json-bodies and --binary exclude each other");
  if (options.grpc && options.body == BodyForm::kJson) return contradiction("--json-bodies: gRPC has no JSON bodies");
  if (!options.grpc && options.streams > 1) {
    return contradiction(
        "--streams: HTTP/1.1 has one request at a time on a connection; use --connections, or --protocol grpc");
  }
  if (flags.said("arrivals") && options.rate == 0)
    return contradiction("--arrivals: only an open loop has them; add --rate");
  if (!options.inputs.empty() && options.rows_said) return contradiction("--rows and --input exclude each other");
  return {};
}

}  // namespace

Result<BenchOptions> parse_bench_options(std::span<const std::string> args) {
  TRY(const auto flags, CommandFlags::read(args, kFlags));
  BenchOptions options;
  options.help = flags.said("help");
  if (options.help) return options;
  if (flags.positional().size() != 1) {
    return contradiction(flags.positional().empty()
                             ? "no MODEL: name a model of a running server, or a model file or folder"
                             : "found argument '" + flags.positional()[1] + "', expected one MODEL");
  }
  options.model = flags.positional()[0];
  if (options.model.empty()) return contradiction("MODEL is empty");
  flags.text("url", options.url);
  flags.text("version", options.version);
  flags.text("json", options.json);
  options.url_said = flags.said("url");
  options.rows_said = flags.said("rows");
  for (auto& file : flags.all("input")) options.inputs.emplace_back(std::move(file));
  TRY_STATUS(read_numbers(flags, options));
  TRY_STATUS(read_choices(flags, options));
  TRY_STATUS(check_together(flags, options));
  return options;
}

std::string bench_help() { return std::string(kIntroduction) + format_flag_help(kFlags) + std::string(kExamples); }

}  // namespace protean
