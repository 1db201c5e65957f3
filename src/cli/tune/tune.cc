// SPDX-License-Identifier: Apache-2.0
// The sweep: every configuration gets a server of its own; repetitions are interleaved, so that a disturbance of the
// machine does not fall on one configuration alone.
#include "cli/tune/tune.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "base/cpu_quota.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/bench/bench.h"
#include "cli/command_flags.h"
#include "cli/stop_signals.h"
#include "cli/tune/tune_html.h"
#include "cli/tune/tune_options.h"
#include "cli/tune/tune_search.h"
#include "configuration/model_config_file.h"

namespace protean {
namespace {

constexpr int kInterrupted = 130;
constexpr std::array<std::string_view, 4> kWrittenKeys = {"batch.mode", "batch.rows_max", "instances",
                                                          "intra_op_threads"};
constexpr std::string_view kPreferredKey = "batch.rows_preferred";

BenchOptions bench_options(const TuneOptions& options) {
  BenchOptions bench;
  bench.model = options.model.string();
  bench.grpc = options.grpc;
  bench.body = options.binary ? BodyForm::kBinary : BodyForm::kAuto;
  bench.rows = options.rows;
  bench.inputs = options.inputs;
  bench.seed = options.seed;
  bench.timeout = options.timeout;
  bench.threads = options.threads;
  bench.duration = options.duration_per_point;
  bench.warm_up = options.duration_per_point / 4;
  bench.arrivals = ArrivalKind::kPoisson;
  return bench;
}

/// Connections carry one request each over HTTP/1.1, and up to this many calls each over gRPC.
constexpr std::uint64_t kStreamsPerConnection = 8;

void set_load(BenchOptions& bench, double rate, std::uint64_t concurrency) {
  bench.rate = rate;
  bench.streams = bench.grpc ? std::min(concurrency, kStreamsPerConnection) : 1;
  bench.connections = (concurrency + bench.streams - 1) / bench.streams;
}

class Sweep {
 public:
  Sweep(const TuneOptions& options, ModelConfig base, const StopSignals& signals)
      : options_(options), base_(std::move(base)), stop_(signals.token()) {}

  /// Starts the model once: whether it works, whether it can be batched, how long a start takes.
  Status prepare() {
    const TimePoint begin = Clock::system().now();
    TRY(const auto target, start_local_model({options_.model, base_}, "", options_.timeout));
    TRY(const auto requests, make_bench_requests(target, bench_options(options_)));
    TRY_STATUS(probe_requests(target, requests, bench_options(options_)));
    start_time_ = Clock::system().now() - begin;
    model_ = target.model;
    const auto has_rows = [](const TensorSpec& s) { return s.any_rank || (!s.shape.empty() && s.shape[0] < 0); };
    const bool batchable = std::ranges::any_of(target.signature->inputs, has_rows);
    candidates_ = tune_candidates(batchable ? options_.batch_rows_max : 1, usable_cores());
    return {};
  }

  void announce() const {
    const auto trials = candidates_.size() * options_.repetitions;
    const auto points = search_points_max(options_.connections_max);
    const Duration longest = trials * (start_time_ + points * options_.duration_per_point * 5 / 4);
    std::printf("  %zu configurations, %llu %s: at most %s; Ctrl-C ends it with what is known\n", candidates_.size(),
                static_cast<unsigned long long>(options_.repetitions),
                options_.repetitions == 1 ? "repetition" : "repetitions", format_minutes(longest).c_str());
    std::fflush(stdout);
  }

  [[nodiscard]] TuneReport run() {
    std::vector<TuneTrial> trials;
    for (std::uint64_t repetition = 0; repetition < options_.repetitions && !stopped(); ++repetition) {
      for (const auto& config : candidates_) {
        auto trial = measure(config);
        if (!trial) break;
        std::printf("  [%zu/%zu] %s: %s\n", trials.size() + 1,
                    candidates_.size() * static_cast<std::size_t>(options_.repetitions),
                    format_tune_config(config).c_str(), format_tune_result(*trial, options_.slo).c_str());
        std::fflush(stdout);
        trials.push_back(*std::move(trial));
      }
    }
    TuneReport report;
    report.model = model_;
    report.slo = options_.slo;
    report.interrupted = stopped();
    report.trials = middle_trials(trials);
    report.setting = fmt::format("{}, {} for each point, {} usable {}, load from the same machine",
                                 options_.grpc ? "gRPC" : "HTTP/1.1", format_span(options_.duration_per_point),
                                 usable_cores(), usable_cores() == 1 ? "core" : "cores");
    return report;
  }

 private:
  [[nodiscard]] bool stopped() const { return stop_.stop_requested(); }

  static std::string format_minutes(Duration span) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(span).count();
    return seconds < 120 ? fmt::format("{} s", seconds) : fmt::format("{} min", (seconds + 59) / 60);
  }

  /// nullopt: interrupted.
  std::optional<TuneTrial> measure(const TuneConfig& config) {
    if (stopped()) return std::nullopt;
    TuneTrial failed;
    failed.config = config;
    const auto target = start_local_model({options_.model, apply_tune_config(base_, config)}, "", options_.timeout);
    BenchOptions bench = bench_options(options_);
    auto requests = target ? make_bench_requests(*target, bench) : tl::unexpected(target.error());
    if (!requests) {
      failed.error = requests.error().message;
      return failed;
    }
    return search_configuration(config, options_.slo, options_.connections_max,
                                [&](double rate, std::uint64_t concurrency) -> std::optional<TunePoint> {
                                  set_load(bench, rate, concurrency);
                                  const LoadResult result = run_load(load_plan(*target, *requests, bench), stop_);
                                  if (stopped()) return std::nullopt;
                                  return point_of(result, rate, concurrency);
                                });
  }

  [[nodiscard]] TunePoint point_of(const LoadResult& result, double rate, std::uint64_t concurrency) const {
    TunePoint point;
    point.rate = rate;
    point.concurrency = concurrency;
    point.requests_per_second = result.requests_per_second();
    point.rows_per_second = result.rows_per_second();
    point.latency = result.latency.quantile(options_.slo.quantile);
    point.failure_share = result.failure_share();
    return point;
  }

  const TuneOptions& options_;
  const ModelConfig base_;
  const std::stop_token stop_;
  std::string model_;
  Duration start_time_{};
  std::vector<TuneConfig> candidates_;
};

Status write_html(const std::filesystem::path& file, const TuneReport& report) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << format_tune_html(report);
  out.close();
  if (out) return {};
  return fail(Code::kUnavailable, fmt::format("flag --html: {}: cannot be written", printable(file.string(), 500)));
}

/// `dir/model/` and `dir/model` are the same model.
std::filesystem::path model_files(const std::filesystem::path& model) {
  const auto normal = std::filesystem::absolute(model).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

Status write_choice(const TuneOptions& options, const TuneReport& report, const ModelConfig& base,
                    const TuneTrial& best) {
  const auto files = model_files(options.model);
  const std::string place = printable(model_config_path(files).string(), 500);
  const ModelConfig wanted = apply_tune_config(base, best.config);
  const std::string text = fmt::format(
      "    instances = {}\n    intra_op_threads = {}\n    [batch]\n    mode = \"{}\"\n    rows_max = {}\n",
      wanted.instances, wanted.intra_op_threads, best.config.rows_max == 1 ? "off" : "on", best.config.rows_max);
  if (options.dry_run || report.interrupted) {
    std::printf("\n  Not written%s; %s would get\n%s", options.dry_run ? " (--dry-run)" : " (interrupted)",
                place.c_str(), text.c_str());
    return {};
  }
  std::vector<std::string_view> keys(kWrittenKeys.begin(), kWrittenKeys.end());
  if (wanted.batch.rows_preferred != base.batch.rows_preferred) keys.push_back(kPreferredKey);
  TRY_STATUS(set_model_config(files, report.model, wanted, keys));
  std::printf("\n  Written to %s\n%s", place.c_str(), text.c_str());
  return {};
}

int tune(const TuneOptions& options) {
  log::configure(log::Level::kOff, log::Format::kText);  // what goes wrong stands in the report
  const StopSignals signals;
  const auto files = model_files(options.model);
  std::error_code error;
  if (!std::filesystem::exists(files, error)) {
    return complain({Code::kNotFound, printable(options.model.string(), 500) + ": no such file or folder", {}, {}}, 1);
  }
  const auto base = read_model_config(files, files.stem().string());
  if (!base) return complain(base.error(), 1);
  Sweep sweep(options, *base, signals);
  if (const auto prepared = sweep.prepare(); !prepared) return complain(prepared.error(), 1);
  sweep.announce();
  const TuneReport report = sweep.run();
  std::fputs(format_tune_report(report, picture_style(STDOUT_FILENO)).c_str(), stdout);
  const TuneTrial* best = recommend(report.trials);
  Status written;
  if (best != nullptr) written = write_choice(options, report, *base, *best);
  if (written && !options.html.empty()) written = write_html(options.html, report);
  std::fflush(stdout);
  if (!written) return complain(written.error(), 1);
  return report.interrupted ? kInterrupted : best == nullptr ? 1 : 0;
}

}  // namespace

int run_tune(std::span<const std::string> args) {
  const auto options = parse_tune_options(args);
  if (!options) return complain(options.error(), 2);
  if (options->help) {
    std::fputs(tune_help().c_str(), stdout);
    return 0;
  }
  const int status = tune(*options);
  log::flush_and_stop();
  return status;
}

}  // namespace protean
