// SPDX-License-Identifier: Apache-2.0
// The flags of `protean migrate`, their help, and what they may not say together.
#include "cli/migrate/migrate_options.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/text.h"
#include "cli/command_flags.h"

namespace protean {
namespace {

using namespace std::chrono_literals;

constexpr std::array<FlagSpec, 26> kFlags = {{
    {"from", "URL", "the old server: http://HOST:PORT for REST, grpc://HOST:PORT for gRPC; one of each, or both", true},
    {"to", "URL", "the new server, with the same kinds of URL", true},
    {"dialect", "tfserving", "what the servers speak"},
    {"listen", "HOST:PORT", "where clients connect; REST and gRPC share a port; may be repeated", true},
    {"tls-cert", "FILE", "clients are spoken to over TLS with this certificate (PEM, with its chain)"},
    {"tls-key", "FILE", "its key"},
    {"control", "HOST:PORT", "live report, figures and the weight; loopback only; with --weight alone: whom to tell"},
    {"weight", "SHARE", "of the requests that the new side answers, 0 to 1; default 0"},
    {"mirror", "SHARE", "of the requests that are sent to the other side as well, 0 to 1; default 1"},
    {"tolerance", "X", "relative and absolute, between numbers that are no integers; default 1e-5"},
    {"guard", "", "traffic goes back to the old side when the new one errs or differs too often"},
    {"guard-errors", "SHARE", "of the new side's last 500 answers; default 0.01"},
    {"guard-differences", "SHARE", "of the last 500 comparisons; default 0.01"},
    {"report", "FILE", "an HTML page, written every 10 s, when asked for, and at the end"},
    {"json", "FILE", "the same figures for scripts, written with the page"},
    {"fail-on-difference", "", "exit status 1 when a difference was found, or when nothing was compared"},
    {"examples", "N", "differing requests that the report shows; default 50"},
    {"example-bytes", "N", "of each of these requests; 0 shows none; default 2048"},
    {"timeout", "TIME", "for a request that brings no deadline; default 60s"},
    {"connections", "N", "to each side, of each thread; default 64"},
    {"threads", "N", "that read and answer clients, and as many that talk to the sides; default 2"},
    {"memory-mib-max", "N", "for requests and answers on their way; default 1024"},
    {"mirror-waiting-max", "N", "mirrored requests that are under way; more are dropped and counted; default 1024"},
    {"drain-timeout", "TIME", "after SIGTERM, for requests in flight; default 30s"},
    {"insecure", "", "--control may listen on other than loopback addresses: whoever reaches it moves traffic"},
    {"help", "", "print this text"},
}};

constexpr std::string_view kIntroduction =
    "Usage: protean migrate --from URL --to URL --dialect tfserving --listen HOST:PORT [flags]\n"
    "       protean migrate --control HOST:PORT --weight SHARE\n\n"
    "Stands in front of an old server: passes requests on, asks a new server the same, compares both answers, and\n"
    "moves traffic over and back. The second form changes the weight of one that runs.\n\n";

constexpr std::string_view kExamples =
    "\nExamples:\n"
    "  protean migrate --from http://old:8501 --from grpc://old:8500 --to http://new:8501 --to grpc://new:8500 \\\n"
    "    --dialect tfserving --listen 0.0.0.0:8500 --listen 0.0.0.0:8501 --control 127.0.0.1:9900 --report "
    "parity.html\n"
    "  protean migrate --control 127.0.0.1:9900 --weight 0.25     a quarter of the traffic to the new server\n\n"
    "Exit status: 0, or 1 with --fail-on-difference when something differs; 2 the command line is wrong.\n"
    "docs/migrate.md describes the report and the control listener.\n";

tl::unexpected<Error> wrong(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

Status read_share(const CommandFlags& flags, std::string_view name, double most, double& out) {
  std::string text;
  flags.text(name, text);
  if (!flags.said(name)) return {};
  double value = -1;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  if (!whole || !(value >= 0 && value <= most)) {
    return wrong(fmt::format("flag --{}: found '{}', expected a number from 0 to {:g}", name, printable(text), most));
  }
  out = value;
  return {};
}

Status read_numbers(const CommandFlags& flags, MigrateOptions& options) {
  migrate::MigrationOptions& m = options.migration;
  TRY_STATUS(read_share(flags, "weight", 1, m.weight_to));
  TRY_STATUS(read_share(flags, "mirror", 1, m.mirror_share));
  TRY_STATUS(read_share(flags, "tolerance", 1, m.tolerance));
  TRY_STATUS(read_share(flags, "guard-errors", 1, m.guard.errors_max));
  TRY_STATUS(read_share(flags, "guard-differences", 1, m.guard.differences_max));
  std::uint64_t examples = m.examples_max;
  std::uint64_t example_bytes = m.example_bytes_max;
  std::uint64_t waiting = m.mirror_waiting_max;
  TRY_STATUS(flags.whole("examples", 0, 10'000, examples));
  TRY_STATUS(flags.whole("example-bytes", 0, 1 << 20, example_bytes));
  TRY_STATUS(flags.whole("mirror-waiting-max", 1, 1'000'000, waiting));
  TRY_STATUS(flags.whole("connections", 1, 10'000, options.connections));
  TRY_STATUS(flags.whole("threads", 1, 64, options.threads));
  TRY_STATUS(flags.whole("memory-mib-max", 16, 1 << 20, options.memory_mib_max));
  TRY_STATUS(flags.duration("timeout", 10ms, 1h, m.timeout));
  TRY_STATUS(flags.duration("drain-timeout", 0ms, 1h, options.drain_timeout));
  m.examples_max = examples;
  m.example_bytes_max = example_bytes;
  m.mirror_waiting_max = waiting;
  // What the mirror holds must never keep clients waiting for memory.
  m.mirror_bytes_max = (options.memory_mib_max << 20) / 4;
  m.guard.on = flags.said("guard");
  return {};
}

Status read_addresses(const CommandFlags& flags, MigrateOptions& options) {
  for (const auto& url : flags.all("from")) TRY_STATUS(add_url("from", url, options.from));
  for (const auto& url : flags.all("to")) TRY_STATUS(add_url("to", url, options.to));
  for (const auto& text : flags.all("listen")) {
    auto address = parse_listen_address(text);
    if (!address || address->dialect != "default") {
      return wrong(fmt::format("flag --listen: found '{}', expected HOST:PORT", printable(text)));
    }
    options.listen.push_back(*std::move(address));
  }
  if (!flags.said("control")) return {};
  const std::string text = flags.all("control").front();
  auto address = parse_listen_address(text);
  if (!address || address->dialect != "default") {
    return wrong(fmt::format("flag --control: found '{}', expected HOST:PORT", printable(text)));
  }
  if (!address->is_loopback() && !flags.said("insecure")) {
    return wrong(
        fmt::format("flag --control: found '{}', expected a loopback address: whoever reaches it moves "
                    "traffic (--insecure lifts this)",
                    printable(text)));
  }
  options.control = *std::move(address);
  return {};
}

Status check_run(const CommandFlags& flags, const MigrateOptions& options) {
  if (options.from.text.empty()) return wrong("flag --from: missing; expected the old server's URL");
  if (options.to.text.empty()) return wrong("flag --to: missing; expected the new server's URL");
  if (options.from.http.has_value() != options.to.http.has_value() ||
      options.from.grpc.has_value() != options.to.grpc.has_value()) {
    return wrong(fmt::format("flags --from and --to: found '{}' and '{}', expected the same kinds (http, grpc) of both",
                             options.from.text, options.to.text));
  }
  if (options.listen.empty()) return wrong("flag --listen: missing; expected HOST:PORT");
  if (options.tls_cert.empty() != options.tls_key.empty())
    return wrong("flags --tls-cert, --tls-key: one needs the other");
  if (options.dialect.empty()) return wrong("flag --dialect: missing; expected tfserving");
  if (!migrate::make_dialect(options.dialect)) {
    return wrong(fmt::format("flag --dialect: found '{}', expected tfserving", printable(options.dialect)));
  }
  if (!flags.said("guard") && (flags.said("guard-errors") || flags.said("guard-differences"))) {
    return wrong("flags --guard-errors, --guard-differences: they need --guard");
  }
  return {};
}

}  // namespace

Status add_url(std::string_view flag, std::string_view url, SideUrls& side) {
  const auto bad = [&](std::string_view why) {
    return wrong(fmt::format("flag --{}: found '{}', expected http://HOST:PORT or grpc://HOST:PORT{}", flag,
                             printable(url), why));
  };
  if (url.starts_with("https://") || url.starts_with("grpcs://")) {
    return bad(" (the sides are spoken to in clear text; put a TLS proxy in between)");
  }
  const bool grpc = url.starts_with("grpc://");
  if (!grpc && !url.starts_with("http://")) return bad("");
  std::string_view rest = url.substr(std::string_view("http://").size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos || rest.find_first_of("/?#@ ") != std::string_view::npos) return bad("");
  const auto port = parse_uint64(rest.substr(colon + 1));
  std::string_view host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || !port || *port == 0 || *port > 65535) return bad("");
  auto& place = grpc ? side.grpc : side.http;
  if (place) return bad(": this kind is named twice");
  place = UpstreamAddress{std::string(host), static_cast<std::uint16_t>(*port), std::string(rest)};
  side.text += (side.text.empty() ? "" : " ") + std::string(url);
  return {};
}

Result<MigrateOptions> parse_migrate_options(std::span<const std::string> args) {
  TRY(const auto flags, CommandFlags::read(args, kFlags));
  MigrateOptions options;
  if (flags.said("help")) {
    options.action = MigrateAction::kHelp;
    return options;
  }
  if (!flags.positional().empty()) {
    return wrong(fmt::format("found argument '{}', expected flags only", printable(flags.positional().front())));
  }
  TRY_STATUS(read_numbers(flags, options));
  const bool runs = flags.said("from") || flags.said("to") || flags.said("listen");
  if (!runs && flags.said("control") && flags.said("weight")) {
    options.action = MigrateAction::kSetWeight;
    flags.text("control", options.control_host);
    return options;
  }
  TRY_STATUS(read_addresses(flags, options));
  flags.text("dialect", options.dialect);
  std::string file;
  flags.text("report", file);
  options.report = std::exchange(file, {});
  flags.text("json", file);
  options.json = std::exchange(file, {});
  flags.text("tls-cert", file);
  options.tls_cert = std::exchange(file, {});
  flags.text("tls-key", file);
  options.tls_key = file;
  options.fail_on_difference = flags.said("fail-on-difference");
  TRY_STATUS(check_run(flags, options));
  options.migration.from = options.from.text;
  options.migration.to = options.to.text;
  return options;
}

std::string migrate_help() { return std::string(kIntroduction) + format_flag_help(kFlags) + std::string(kExamples); }

}  // namespace protean
