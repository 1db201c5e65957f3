// SPDX-License-Identifier: Apache-2.0
// The flags of `protean tune` and their help.
#include "cli/tune/tune_options.h"

#include <array>

#include "cli/command_flags.h"

namespace protean {
namespace {

using namespace std::chrono_literals;

constexpr std::array<FlagSpec, 16> kFlags = {{
    {"slo", "pNN=TIME", "the objective, required: p50, p90, p95, p99 or p99.9, such as p99=20ms"},
    {"protocol", "http|grpc", "default http"},
    {"binary", "", "tensors as bytes; the default for more than 256 elements, and for gRPC"},
    {"connections-max", "N", "most requests in flight; default 64"},
    {"batch-rows-max", "N", "largest batch tried: 1, 2, 4 ... N; default 32"},
    {"rows", "N", "rows in each generated request; default 1"},
    {"input", "FILE", "a recorded request (Open Inference Protocol JSON) instead of generated ones; several take turns",
     true},
    {"duration-per-point", "TIME", "of each measurement, a quarter more to warm up; default 2s"},
    {"repetitions", "N", "of everything, one after the other; the lower middle one counts; default 2"},
    {"timeout", "TIME", "for one answer; default 10s"},
    {"threads", "N", "of the load generator; default 1"},
    {"seed", "N", "of generated inputs and arrivals; default 1"},
    {"html", "FILE", "write the curves as a page of its own"},
    {"write", "", "write the best choice into the model's protean.toml; the default"},
    {"dry-run", "", "write nothing there"},
    {"help", "", "print this text"},
}};

constexpr std::string_view kIntroduction =
    "Usage: protean tune MODEL_PATH --slo p99=20ms [flags]\n\n"
    "Finds the batch size, instances and threads with which a model, a file or a folder, bears the highest load\n"
    "within an objective, shows throughput against latency, and writes the result into the model's\n"
    "configuration. Each configuration gets a server in this process; the load comes from the same machine.\n\n";

constexpr std::string_view kExamples =
    "\nExamples:\n"
    "  protean tune models/digits.onnx --slo p99=20ms\n"
    "  protean tune models/iris --slo p99.9=5ms --protocol grpc --html iris.html --dry-run\n"
    "  protean tune models/encoder --slo p99=50ms --input request.json --duration-per-point 5s --repetitions 3\n\n"
    "Ctrl-C ends it with what is known by then; nothing is written in that case.\n"
    "Exit status: 0 a configuration keeps the objective, 1 none does or the model cannot be served, 2 the command\n"
    "line is wrong, 130 interrupted.  docs/benchmarking.md says how it searches.\n";

Status read_values(const CommandFlags& flags, TuneOptions& options) {
  std::size_t protocol = 0;
  TRY_STATUS(flags.choice("protocol", "http|grpc", protocol));
  options.grpc = protocol == 1;
  options.binary = flags.said("binary");
  TRY_STATUS(flags.whole("connections-max", 1, 4096, options.connections_max));
  TRY_STATUS(flags.whole("batch-rows-max", 1, 4096, options.batch_rows_max));
  TRY_STATUS(flags.whole("rows", 1, 1'000'000, options.rows));
  TRY_STATUS(flags.whole("repetitions", 1, 99, options.repetitions));
  TRY_STATUS(flags.whole("threads", 1, 256, options.threads));
  TRY_STATUS(flags.whole("seed", 0, UINT64_MAX, options.seed));
  TRY_STATUS(flags.duration("duration-per-point", 50ms, 1h, options.duration_per_point));
  TRY_STATUS(flags.duration("timeout", 1ms, 1h, options.timeout));
  std::string html;
  flags.text("html", html);
  options.html = html;
  for (auto& file : flags.all("input")) options.inputs.emplace_back(std::move(file));
  options.dry_run = flags.said("dry-run");
  return {};
}

tl::unexpected<Error> wrong(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

}  // namespace

Result<TuneOptions> parse_tune_options(std::span<const std::string> args) {
  TRY(const auto flags, CommandFlags::read(args, kFlags));
  TuneOptions options;
  options.help = flags.said("help");
  if (options.help) return options;
  if (flags.positional().size() != 1 || flags.positional()[0].empty()) {
    return wrong(flags.positional().size() < 2
                     ? "no MODEL_PATH: name a model file or folder"
                     : "found argument '" + flags.positional()[1] + "', expected one MODEL_PATH");
  }
  options.model = flags.positional()[0];
  if (!flags.said("slo")) return wrong("no --slo: say what must be kept, such as --slo p99=20ms");
  std::string slo;
  flags.text("slo", slo);
  auto parsed = parse_slo(slo);
  if (!parsed) return wrong("flag --slo: " + parsed.error().message);
  options.slo = *std::move(parsed);
  TRY_STATUS(read_values(flags, options));
  if (flags.said("write") && options.dry_run) return wrong("--write and --dry-run exclude each other");
  if (flags.said("rows") && !options.inputs.empty()) return wrong("--rows and --input exclude each other");
  return options;
}

std::string tune_help() { return std::string(kIntroduction) + format_flag_help(kFlags) + std::string(kExamples); }

}  // namespace protean
