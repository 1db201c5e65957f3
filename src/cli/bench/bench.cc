// SPDX-License-Identifier: Apache-2.0
// The order of a run: find the model, make the requests, try one, load, report.
#include "cli/bench/bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/log.h"
#include "base/text.h"
#include "cli/bench/bench_report.h"
#include "cli/command_flags.h"
#include "cli/stop_signals.h"

namespace protean {
namespace {

constexpr int kInterrupted = 130;

/// A path is a path when something is there; with --url it is a name in any case.
Result<BenchTarget> find_target(const BenchOptions& options) {
  std::error_code error;
  const bool exists = !options.url_said && std::filesystem::exists(options.model, error);
  if (exists) return start_local_model({options.model, std::nullopt}, options.version, options.timeout);
  const bool looks_like_path = options.model.find('/') != std::string::npos || options.model.ends_with(".onnx");
  if (looks_like_path && !options.url_said) {
    return fail(Code::kNotFound, fmt::format("{}: no such file or folder", printable(options.model, 500)));
  }
  return find_remote_model(options.url, options.model, options.version, options.timeout);
}

bool write_text(const std::string& file, const std::string& text) {
  std::FILE* out = std::fopen(file.c_str(), "wb");
  if (out == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), out) == text.size();
  return std::fclose(out) == 0 && written;
}

Status show(const BenchReport& report) {
  const std::string& json = report.options.json;
  const std::string text =
      json == "-" ? format_bench_json(report) : format_bench_report(report, picture_style(STDOUT_FILENO));
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  if (json.empty() || json == "-" || write_text(json, format_bench_json(report))) return {};
  return fail(Code::kUnavailable, fmt::format("flag --json: {}: cannot be written", printable(json, 500)));
}

Result<BenchReport> measure(const BenchOptions& options, const StopSignals& signals) {
  TRY(const auto target, find_target(options));
  TRY(const auto requests, make_bench_requests(target, options));
  TRY_STATUS(probe_requests(target, requests, options));
  if (::isatty(STDERR_FILENO) != 0) {
    std::fprintf(stderr, "  loading %s for %s ...\n", printable(target.model).c_str(),
                 format_span(options.warm_up + options.duration).c_str());
  }
  BenchReport report;
  report.options = options;
  report.model = target.model;
  report.where = target.local ? "a server of its own" : options.url;
  report.local = target.local != nullptr;
  report.form = requests.form;
  report.body_bytes = requests.body_bytes;
  report.rows = requests.rows;
  report.result = run_load(load_plan(target, requests, options), signals.token());
  report.interrupted = signals.token().stop_requested();
  return report;
}

int bench(const BenchOptions& options) {
  log::configure(log::Level::kOff, log::Format::kText);  // what goes wrong stands in the report
  const StopSignals signals;
  const auto report = measure(options, signals);
  if (!report) return complain(report.error(), signals.token().stop_requested() ? kInterrupted : 1);
  if (const auto shown = show(*report); !shown) return complain(shown.error(), 1);
  if (report->interrupted) return kInterrupted;
  if (report->result.ok != 0) return 0;
  const std::string& first = report->result.first_failure;
  return complain(
      {Code::kUnavailable, "every request failed; the first one: " + (first.empty() ? "never sent" : first), {}, {}},
      1);
}

}  // namespace

LoadPlan load_plan(const BenchTarget& target, const BenchRequests& requests, const BenchOptions& options) {
  LoadPlan plan;
  plan.target = target.address;
  plan.http2 = options.grpc;
  plan.requests = requests.requests;
  plan.threads = options.threads;
  plan.connections = options.connections;
  plan.streams = options.streams;
  plan.rate = options.rate;
  plan.arrivals = options.arrivals;
  plan.warm_up = options.warm_up;
  plan.duration = options.duration;
  plan.timeout = options.timeout;
  plan.deadline = options.deadline;
  plan.seed = options.seed;
  return plan;
}

int run_bench(std::span<const std::string> args) {
  const auto options = parse_bench_options(args);
  if (!options) return complain(options.error(), 2);
  if (options->help) {
    std::fputs(bench_help().c_str(), stdout);
    return 0;
  }
  const int status = bench(*options);
  log::flush_and_stop();
  return status;
}

}  // namespace protean
